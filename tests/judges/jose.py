"""Two JOSE libraries verify the JWS of a presentation. Usage: jose.py PRESENTATION PUBLIC_PEM"""
import json
import sys

from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey
from jwcrypto import jwk, jws

text, pem = (open(path, "rb").read() for path in sys.argv[1:3])
compact = text.decode("ascii").split("~")[0]

public = jwk.JWK.from_pem(pem)
thumbprint = public.thumbprint()
header = {"alg": "EdDSA", "kid": thumbprint, "typ": "blotter+sd-jwt"}

token = jws.JWS()
token.deserialize(compact)
token.verify(public)
assert json.loads(token.objects["protected"]) == header, token.objects["protected"]
print("jwcrypto: verified")

key = OKPKey.import_key(pem)
verified = joserfc_jws.deserialize_compact(compact, key, algorithms=["EdDSA", "Ed25519"])
assert verified.protected == header, verified.protected
assert key.thumbprint() == thumbprint, "two libraries, one thumbprint"
assert verified.payload == token.payload
print("joserfc: verified")

head, body, signature = compact.split(".")
for broken in (f"{head}.{body[:-1]}.{signature}", f"{head}.{body}.{signature[:10]}AAAA{signature[14:]}"):
    try:
        joserfc_jws.deserialize_compact(broken, key, algorithms=["EdDSA", "Ed25519"])
    except Exception:
        continue
    sys.exit("the judge takes anything")
