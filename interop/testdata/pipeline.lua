-- SPDX-License-Identifier: Apache-2.0

-- Makes wrk send sixteen requests before it reads the first answer.

local requests

init = function()
	local list = {}
	for i = 1, 16 do
		list[i] = wrk.format("POST", "/?n=" .. i, nil, string.rep("x", i))
	end
	requests = table.concat(list)
end

request = function()
	return requests
end
