-- Ends a run of wrk with one line that scripts/benches reads.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("\nresult %d %d %d %d\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
