"""Runs served by HTTP and WebSocket: answers, texts as they are written, sessions that keep a state.

    from ostinato.serving.app import create_app

    app = create_app(["runs/book"], ServeSettings())     # a Starlette; any ASGI server runs it

A program that has more to show mounts nothing: it gives the application its own routes, which come first, and uses
what the server's routes use:

    app = create_app(discover=find_runs, routes=[Route("/", page), Mount("/static", files)], local=True)

    async def page(request: Request) -> Response:
        serving = serving_of(request)                     # ostinato.serving.serving: runs, limits
        served = serving.runs[request.path_params["name"]]   # 404 where there is none: a name never becomes a path
        found = await serving.compute(work, served)       # in a thread; 429 and 503 as everywhere
        return answered(found)                            # ostinato.serving.exchange: structs as JSON

`discover` gives `{name: folder}` of runs that come and go; it is asked whenever names are looked up. Errors raised in
a route, `Problem` and the package's own, become problem JSON. `running.serve(app, ...)` runs it with uvicorn. The guard
(token, other origins, names that are not this machine's) stands in front of all routes, added ones as well.
"""
