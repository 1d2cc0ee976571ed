"""An SD-JWT library verifies a presentation and prints its disclosed data. Usage: sdjwt.py PRESENTATION PUBLIC_PEM"""
import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

text, pem = (open(path, "rb").read() for path in sys.argv[1:3])
key = JWK.from_pem(pem)
presentation = text.decode("ascii")
verified = SDJWTVerifier(presentation, lambda issuer, header: key).get_verified_payload()
shown = [part for part in presentation.split("~")[1:] if part]
assert len(verified["data"]) == len(shown), (verified["data"], len(shown))
assert sorted(verified["data"]) == verified["fields"], "every value is there under its name"
without = SDJWTVerifier(presentation.split("~")[0] + "~", lambda issuer, header: key).get_verified_payload()
assert without["data"] == {}, "withheld values are simply not there"
print(json.dumps(verified["data"]))
