"""The HTTP entrance (contract 6); the only home of Starlette and uvicorn."""
