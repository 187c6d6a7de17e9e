"""Verifies and signs with PyJWT what stands in the plan on standard input; one JSON answer."""

import json
import sys

import jwt

plan = json.load(sys.stdin)
answer = {"verified": [], "refused": [], "signed": []}
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]

for case in plan["verify"]:
    key = jwt.PyJWK(case["jwk"], algorithm=case["alg"])
    claims = jwt.decode(
        case["token"],
        key,
        algorithms=[case["alg"]],
        audience=plan["audience"],
        issuer=plan["issuer"],
        leeway=60,
        options={"require": REQUIRED},
    )
    header = jwt.get_unverified_header(case["token"])
    answer["verified"].append({"header": header, "claims": claims})

for case in plan["refuse"]:
    key = jwt.PyJWK(case["jwk"], algorithm=case["alg"])
    try:
        jwt.decode(case["token"], key, algorithms=[case["alg"]], audience=plan["audience"])
        answer["refused"].append(None)
    except jwt.InvalidSignatureError as error:
        answer["refused"].append(type(error).__name__)

for case in plan["sign"]:
    token = jwt.encode(case["claims"], case["pem"], algorithm=case["alg"], headers=case["header"])
    answer["signed"].append(token)

json.dump(answer, sys.stdout)
