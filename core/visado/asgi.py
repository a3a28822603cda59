"""`uvicorn visado.asgi:app`."""
