"""`resilience`: layers around a consumed operation, from the outermost to the innermost.

    fallback > deadline > pages > cache > circuit breaker > bulkhead > retry > rate limit > timeout

A fallback sees every failure. The deadline bounds all that follows. A page is a request like any
other, so everything behind `pages` holds for each. A cached answer costs nothing of the API. The
breaker counts calls, not tries: while it is open nothing waits in a queue. A retry keeps its place
in the bulkhead, for it is still under way, and takes a permit of the rate limit, for the API counts
it too. The timeout holds for one try.

An operation without the block has none of these objects around it.
"""
