-- What wrk asks, and its figures on one line. WRK_DEPTH: requests sent at once; WRK_BODY: bytes to upload.
local depth = tonumber(os.getenv("WRK_DEPTH") or 1)
local body = tonumber(os.getenv("WRK_BODY") or 0)

function init(args)
	if body > 0 then
		wrk.method, wrk.body = "POST", string.rep("x", body)
	end
	if depth > 1 then	-- else wrk makes the request once, and asks us no more
		local all = string.rep(wrk.format(), depth)
		request = function() return all end
	end
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("\nops=%d bytes=%d secs=%.6f errors=%d",
	    summary.requests, summary.bytes, summary.duration / 1e6,
	    e.connect + e.read + e.write + e.status + e.timeout))
	-- of a pipeline wrk times the whole, and then corrects for omission as if it were one request
	if depth == 1 then
		io.write(string.format(" p50=%d p99=%d p999=%d max=%d",
		    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
	end
	io.write("\n")
end
