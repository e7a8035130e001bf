// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"errors"
	"log"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func patient(ctx context.Context, url string) (page string, err error) {
	err = await.Timeout(ctx, 5*time.Second, func(ctx context.Context) (err error) {
		page, err = fetch(ctx, url)
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) && task.Check(ctx) == nil {
		return "nothing yet", nil // this timeout, and not an outer one
	}
	return page, err
}

func TestPatient(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		if page, err := patient(ctx, "a"); page != "page a" || err != nil {
			t.Errorf("patient = %q, %v", page, err)
		}
		outer, release := await.WithTimeout(ctx, time.Millisecond)
		defer release()
		if page, err := patient(outer, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("patient = %q, %v", page, err)
		}
	})
}

func session(ctx context.Context, s *netio.Stream) error {
	defer func() {
		ctx, release := task.Shield(ctx, time.Second) // under ctx itself, Write would fail at once
		defer release()
		s.Write(ctx, []byte("bye\n"))
	}()
	_, err := netio.Copy(ctx, s, s)
	return err
}

func commit(ctx context.Context, save func(ctx context.Context) error) error {
	ctx, release := task.Shield(ctx, 0) // five seconds
	defer release()
	return save(ctx)
}

func TestShield(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		client, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		serving := task.StartErr(ctx, func(ctx context.Context) error {
			defer s.Close()
			return session(ctx, s)
		})
		if err := await.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		serving.Cancel(nil)
		if text, err := client.ReadAll(ctx, 100); string(text) != "bye\n" || err != nil {
			t.Errorf("the client gets %q, %v", text, err)
		}
		if _, err := serving.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}

		for takes, want := range map[time.Duration]error{4 * time.Second: nil, time.Hour: context.DeadlineExceeded} {
			short, release := await.WithTimeout(ctx, time.Second)
			began := task.Now(ctx)
			err := commit(short, func(ctx context.Context) error { return await.Sleep(ctx, takes) })
			if took := task.Now(ctx).Sub(began); !errors.Is(err, want) || took != min(takes, 6*time.Second) {
				t.Errorf("a commit that takes %v: %v after %v", takes, err, took)
			}
			release()
		}
	})
}

func poll(ctx context.Context, ask func(ctx context.Context) error) error {
	for {
		if err := ask(ctx); err != nil {
			if cancelled := task.Check(ctx); cancelled != nil {
				return cancelled
			}
			log.Print(err)
		}
		if err := await.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

func TestPoll(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		polling := task.StartErr(ctx, func(ctx context.Context) error {
			return poll(ctx, func(ctx context.Context) error { return await.Sleep(ctx, time.Second) })
		})
		if err := await.Sleep(ctx, 500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		polling.Cancel(nil)
		if _, err := polling.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func join(ctx context.Context, job *task.Task[string]) (string, error) {
	result, err := job.Await(ctx)
	if err == nil {
		return result, nil
	}
	if cancelled := task.Check(ctx); cancelled != nil {
		return "", cancelled // this task was cancelled, or its scope, or a timeout around this call
	}
	if _, ok := errors.AsType[*task.Canceled](err); ok {
		return "no result", nil // the job was cancelled
	}
	return "", err // the job has failed
}

func TestJoin(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sleeps := func(ctx context.Context) (string, error) { return "", await.Sleep(ctx, time.Hour) }
		job := task.Start(ctx, sleeps)
		waiting := task.Start(ctx, func(ctx context.Context) (string, error) { return join(ctx, job) })
		if err := await.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		waiting.Cancel(nil)
		if _, err := waiting.Await(ctx); !errors.Is(err, context.Canceled) || job.Done() {
			t.Errorf("a cancel of the task that waits: %v, and the job has ended: %v", err, job.Done())
		}
		job.Cancel(nil)
		if got, err := join(ctx, job); got != "no result" || err != nil {
			t.Errorf("a cancel of the job: %q, %v", got, err)
		}
		broken := task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, "broken") })
		if _, err := join(ctx, broken); err != errBroken {
			t.Errorf("a job that fails: %v", err)
		}
	})
}
