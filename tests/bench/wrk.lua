-- What wrk asks, and its figures on one line. WRK_DEPTH: requests sent at once; WRK_BODY: bytes to upload.
local depth = tonumber(os.getenv("WRK_DEPTH") or 1)
local body = tonumber(os.getenv("WRK_BODY") or 0)

function init(args)
	if body > 0 then
		wrk.method, wrk.body = "POST", string.rep("x", body)
	end
	local one = wrk.format()
	local all = string.rep(one, depth)
	request = function() return all end
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("\nops=%d bytes=%d secs=%.6f errors=%d p50=%d p99=%d p999=%d max=%d\n",
	    summary.requests, summary.bytes, summary.duration / 1e6,
	    e.connect + e.read + e.write + e.status + e.timeout,
	    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
