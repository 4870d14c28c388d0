"""OpenAPI at `/openapi.json`, and the same to read at `/docs`: our own page, which loads nothing from elsewhere."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse, Response

from services.pages import render

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def add_documentation(app: FastAPI) -> None:
    """Adds both addresses; like everything else below no public path they need a key."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi_json() -> Response:
        """The description for programs."""
        return JSONResponse(document())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """The description for people."""
        page = render("services", "docs.html", document=document())
        return HTMLResponse(page, headers={"content-security-policy": CONTENT_SECURITY_POLICY})

    @app.get("/docs/style.css", include_in_schema=False)
    async def style() -> Response:
        """The look of the page."""
        return Response(render("services", "docs.css"), media_type="text/css")


def openapi(app: FastAPI) -> dict[str, Any]:
    """What FastAPI knows, the plain routes' own operations, and how to show a key."""
    schema = get_openapi(
        title="Huifang",
        version=app.version,
        description="Customer satisfaction on top of an ITSM: tickets in, answers and scores out.",
        routes=app.routes,
    )
    for route in app.routes:
        for method, operation in getattr(route, "operations", {}).items():
            schema["paths"].setdefault(route.path, {})[method] = dict(operation)  # type: ignore[attr-defined]
    schema["components"] = {
        **schema.get("components", {}),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    schema["security"] = [{"key": []}]
    return schema
