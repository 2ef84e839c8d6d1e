"""Texts that contain a credential in a known format, and texts that only resemble one.

The credentials are assembled from parts, so that no scanner reports this file as a leak.
"""

from random import Random
from string import ascii_letters, digits, hexdigits

_draw = Random("a corpus that is always the same")
_ALNUM, _HEX, _UPPER = ascii_letters + digits, hexdigits[:16], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_URL_SAFE = _ALNUM + "-_"


def _of(alphabet: str, length: int) -> str:
    # It begins with a letter and a digit, which every format here allows.
    return "a1" + "".join(_draw.choices(alphabet, k=length - 2))


def _upper(length: int) -> str:
    return "".join(_draw.choices(_UPPER, k=length))


def _pem(kind: str) -> str:
    lines = "\n".join(_of(_ALNUM + "+/", 64) for _ in range(3))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


_JWT = f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{_of(_URL_SAFE, 60)}.{_of(_URL_SAFE, 43)}"

SECRETS: dict[str, str] = {
    "PEM: PKCS 8": _pem("PRIVATE KEY"),
    "PEM: RSA": _pem("RSA PRIVATE KEY"),
    "PEM: EC": _pem("EC PRIVATE KEY"),
    "PEM: OpenSSH": _pem("OPENSSH PRIVATE KEY"),
    "PEM: encrypted": _pem("ENCRYPTED PRIVATE KEY"),
    "PEM: PGP": _pem("PGP PRIVATE KEY BLOCK"),
    "PEM: in one line, in JSON": '{"private_key": "' + _pem("PRIVATE KEY").replace("\n", "\\n") + '"}',
    "PEM: cut short": "could not read -----BEGIN RSA PRIVATE KEY-----\nMIIEow",
    "JWT": _JWT,
    "JWT: unsigned": "eyJhbGciOiJub25lIn0." + "eyJzdWIiOiIxIn0.",
    "JWT: encrypted": "eyJhbGciOiJSU0EtT0FFUCJ9." + ".".join(_of(_URL_SAFE, 20) for _ in range(4)),
    "JWT: in a sentence": f"the token {_JWT} has expired",
    "bearer": "Bearer mF_9.B5f-4." + "1JqM",
    "bearer: lower case": f"bearer {_of(_ALNUM, 40)}",
    "bearer: upper case": f"BEARER {_of(_HEX, 32)}",
    "bearer: letters alone": "bearer qwertyuiopasdfghjklzxcvbnm",
    "bearer: in a header": f"Authorization: Bearer {_of(_URL_SAFE, 60)}",
    "bearer: in curl": f"curl -H 'authorization: bearer {_of(_ALNUM, 30)}' https://api.example.com",
    "authorization: a short token": "Authorization: Token abc",
    "authorization: in JSON": '{"authorization": "Bearer abc"}',
    "basic": "Basic " + "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "basic: lower case": "basic " + "dXNlcjpwYXNz",
    "basic: in a header": "authorization: basic " + "YWRtaW46aHVudGVyMg==",
    "basic: of other bytes": "Basic " + "YWRtaW46c2Vuw6dhMTIz",
    "AWS: long-lived": f"AKIA{_upper(16)}",
    "AWS: temporary": f"ASIA{_upper(16)}",
    "AWS: in a sentence": f"The user's key AKIA{_upper(16)} is not authorised.",
    "Google: API key": f"AIza{_of(_URL_SAFE, 35)}",
    "Google: access token": f"ya29.{_of(_URL_SAFE, 120)}",
    "Google: client secret": f"GOCSPX-{_of(_URL_SAFE, 28)}",
    "Azure: storage": f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={_of(_ALNUM + '+/', 86)}==",
    "Azure: the key first": f"AccountKey={_of(_ALNUM + '+/', 86)}==;AccountName=x",
    "Azure: service bus": f"SharedAccessKeyName=Root;SharedAccessKey={_of(_ALNUM + '+/', 43)}=",
    "Azure: SAS": f"https://x.blob.core.windows.net/c?sv=2024-11-04&se=2027-01-01&sig={_of(_ALNUM, 43)}%3D",
    "Azure: SAS, its signature first": f"sig={_of(_ALNUM, 43)}%3D",
    "Meta: user": f"EAAB{_of(_ALNUM, 180)}",
    "Meta: page": f"EAAG{_of(_ALNUM, 160)}ZDZD",
    "Meta: short": f"EAA{_of(_ALNUM, 30)}",
    "Slack: bot": f"xoxb-123456789012-1234567890123-{_of(_ALNUM, 24)}",
    "Slack: user": f"xoxp-123456789012-123456789012-123456789012-{_of(_HEX, 32)}",
    "Slack: refresh": f"xoxe-1-{_of(_ALNUM, 140)}",
    "Slack: rotated": f"xoxe.xoxp-1-{_of(_ALNUM, 140)}",
    "Slack: app": f"xapp-1-A0123456789-1234567890123-{_of(_HEX, 64)}",
    "Slack: webhook": f"https://hooks.slack.com/services/T{_upper(10)}/B{_upper(10)}/{_of(_ALNUM, 24)}",
    "Stripe: live": f"sk_live_{_of(_ALNUM, 24)}",
    "Stripe: test": f"sk_test_{_of(_ALNUM, 99)}",
    "Stripe: restricted, live": f"rk_live_{_of(_ALNUM, 24)}",
    "Stripe: restricted, test": f"rk_test_{_of(_ALNUM, 24)}",
    "Stripe: webhook": f"whsec_{_of(_ALNUM, 32)}",
    "GitHub: personal": f"ghp_{_of(_ALNUM, 36)}",
    "GitHub: OAuth": f"gho_{_of(_ALNUM, 36)}",
    "GitHub: user to server": f"ghu_{_of(_ALNUM, 36)}",
    "GitHub: server": f"ghs_{_of(_ALNUM, 36)}",
    "GitHub: refresh": f"ghr_{_of(_ALNUM, 76)}",
    "GitHub: fine-grained": f"github_pat_{_of(_ALNUM, 22)}_{_of(_ALNUM, 59)}",
    "GitLab": f"glpat-{_of(_URL_SAFE, 20)}",
    "OpenAI: legacy": f"sk-{_of(_ALNUM, 48)}",
    "OpenAI: project": f"sk-proj-{_of(_URL_SAFE, 120)}",
    "OpenAI: service account": f"sk-svcacct-{_of(_URL_SAFE, 120)}",
    "Anthropic": f"sk-ant-api03-{_of(_URL_SAFE, 95)}",
    "npm": f"npm_{_of(_ALNUM, 36)}",
    "PyPI": f"pypi-AgEIcHlwaS5vcmc{_of(_URL_SAFE, 120)}",
    "Shopify: admin": f"shpat_{_of(_HEX, 32)}",
    "Shopify: shared": f"shpss_{_of(_HEX, 32)}",
    "SendGrid": f"SG.{_of(_URL_SAFE, 22)}.{_of(_URL_SAFE, 43)}",
    "Twilio": f"SK{_of(_HEX, 32)}",
    "Telegram": f"110201543:AA{_of(_URL_SAFE, 33)}",
    "Telegram: in a URL": f"https://api.telegram.org/bot4839574812:AA{_of(_URL_SAFE, 33)}/getMe",
    "Discord: bot": f"MT{_of(_ALNUM, 22)}.G{_of(_ALNUM, 5)}.{_of(_URL_SAFE, 38)}",
    "Discord: webhook": f"https://discord.com/api/webhooks/1234567890123456789/{_of(_URL_SAFE, 68)}",
    "Hugging Face": f"hf_{_of(_ALNUM, 34)}",
    "DigitalOcean: personal": f"dop_v1_{_of(_HEX, 64)}",
    "DigitalOcean: OAuth": f"doo_v1_{_of(_HEX, 64)}",
    "Mailgun": f"key-{_of(_HEX, 32)}",
    "Mailgun: account": f"{_of(_HEX, 32)}-{_of(_HEX, 8)}-{_of(_HEX, 8)}",
    "Square: personal": f"sq0atp-{_of(_URL_SAFE, 22)}",
    "Square: application": f"sq0csp-{_of(_URL_SAFE, 43)}",
    "Square: access": f"EAAA-{_of(_URL_SAFE, 59)}",
    "URL: PostgreSQL": "postgresql://daybook:hunter2@db.example.com:5432/daybook",
    "URL: Redis, no user": "redis://:hunter2@localhost:6379/0",
    "URL: a password with @ in it": "amqp://worker:hunt@er2@mq.example.com/",
    "URL: a password of digits": "https://api:12345678@example.com",
    "URL: in a sentence": "GET https://shop:hunter2@example.com/orders: 401",
    "parameter: access_token": "https://graph.example.com/v23.0/me?fields=id&access_token=hunter2",
    "parameter: client_secret": "https://example.com/oauth?client_id=5&client_secret=hunter2&grant_type=x",
    "parameter: api key": "https://example.com/v1?apiKey=hunter2",
    "parameter: signature": "https://example.com/f?X-Amz-Signature=hunter2&X-Amz-Expires=60",
    "parameter: senha": "https://example.com.br/login?usuario=ana&senha=hunter2",
    "parameter: hottok": "/webhooks/hotmart?hottok=hunter2",
    "parameter: behind #": "https://example.com/cb#access_token=hunter2&state=x",
    "parameter: in another": "https://example.com/go?next=/cb?token=hunter2",
    "parameter: encoded": "https://example.com/cb?access%5Ftoken=hunter2",
}

PLAIN: tuple[str, ...] = (
    # Names
    *("Shop", "Loja da Ana", "Basic", "Basic plan", "Plano Basic", "Basic 2024", "Basic WhatsApp", "Basic JavaScript"),
    *("Bearer Capital", "Token Economy Ltd.", "Secret Garden", "Senhas & Chaves", "São Paulo: matriz"),
    *("shop hottok", "ads token", "meta_access_token", "SHOP_API_KEY", "stripe-live-key", "sk_test_mode"),
    # Identifiers
    *("0199f000-0000-7000-8000-000000000401", "d41d8cd98f00b204e9800998ecf8427e", "act_1234567890", "v23.0"),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    *("AC0f1e2d3c4b5a69788796a5b4c3d2e1f0", "pk_live_51H8aB3dE5gH7jK9mN1pQ2sT4", "G-AB12CD34EF", "UA-12345678-1"),
    *("projects/shop/secrets/hottok/versions/latest", "arn:aws:s3:::bucket/AKIA", "eyJhbGciOiJIUzI1NiJ9"),
    *("ghp_", "github_pat_", "xoxb-", "EAAshort", "AIzaShort", "SG.com.example", "key-of-the-shop", "hf_model_card"),
    "sk-campanha-de-verao-na-eslovaquia-2026",
    "com.example.daybook.integrations.hotmart",
    # URLs
    *("https://example.com", "https://example.com:8443/path?page=2&sort=asc#top", "http://localhost:9090/@metrics"),
    "https://example.com/oauth/token",
    "https://example.com/cb?token_type=bearer&expires_in=3600&state=abc",
    "https://example.com/?access_token={access_token}",
    "https://example.com/?key=value&client_id=12345&session=open",
    "https://user@example.com/repository.git",
    "https://user:***@example.com/repository.git",
    "postgresql://${DB_USER}:${DB_PASSWORD}@db.example.com/daybook",
    "postgresql://daybook@db.example.com:5432/daybook?sslmode=verify-full",
    "git@github.com:example/daybook.git",
    "https://hooks.slack.com/services/",
    "mongodb://one.example.com:27017,two.example.com:27017/shop",
    "kafka-1:9092,kafka-2:9092",
    # Prices, times and numbers
    *("R$ 1.234,56", "US$ 19.90", "19.5", "+55 11 91234-5678", "123.456.789-09", "12.345.678/0001-95"),
    *("2026-11-22T15:10:13.123456Z", "America/Sao_Paulo", "1:23:45", "12345678:AA"),
    # Sentences
    "The bearer of this letter needs a bearer token.",
    "Basic authentication failed: the password is wrong.",
    "Basic responsibilities of an owner include the basic administration of members.",
    "The API key and the client secret are in the vault; ask for the password there.",
    "Your token has expired. Please sign in again with your e-mail and password.",
    "Authorization: required. Authentication: none.",
    "product.id is missing in PURCHASE_APPROVED",
    "(#190) Error validating access token: Session has expired on Friday, 20-Nov-26 10:00:00 PST.",
    "HTTP 401 from https://graph.facebook.com/v23.0/act_1/insights after 3 retries",
    "A senha do usuário expirou; peça um novo token ao administrador da loja.",
    "O plano Basic custa R$ 49,90 por mês, e o plano Premium custa R$ 149,90.",
    "Não foi possível autenticar: a chave secreta não é válida ou foi revogada.",
    "Pedido nº 4711: pagamento recusado pelo banco, código de autorização 00A1B2.",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "the token was [redacted] and the URL https://user:[redacted]@example.com/?access_token=[redacted]",
)
