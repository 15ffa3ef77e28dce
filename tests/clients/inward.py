"""URLs that a tenant may send and that lead inside, or nowhere that is called; and some that may be called."""

# What the test's resolver knows. A name that is not here is not known to it.
NAMES: dict[str, list[str]] = {
    "hooks.example.org": ["93.184.216.34"],
    "both.example.org": ["93.184.216.34", "2606:4700::1111"],
    "169.254.169.254.nip.example": ["169.254.169.254"],
    "loop.example.org": ["127.0.0.1"],
    "loop6.example.org": ["::1"],
    "many.example.org": ["10.0.0.1", "127.0.0.1", "fd00::1"],
    "mapped.example.org": ["::ffff:169.254.169.254"],
    "translated.example.org": ["64:ff9b::a9fe:a9fe"],
    "cgnat.example.org": ["100.100.100.200"],
    "azure.example.org": ["168.63.129.16"],
    "zero.example.org": ["0.0.0.0"],  # noqa: S104
    "localhost": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "metadata": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "inside.example.org": ["10.1.2.3"],
    "outside.example.org": ["10.2.0.1"],
}


def _words(text: str) -> list[str]:
    return text.split()


_ADDRESSES = _words("""
0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1
198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1 ::ffff:169.254.169.254 0:0:0:0:0:ffff:127.0.0.1
::ffff:0:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 100:0:0:1::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fec0::1 ff02::1
""")

_SPELLINGS = _words("""
2130706433 0x7f000001 017700000001 127.1 127.0.1 0177.0.0.1 0x7f.0.0.1 0x7f.1 2852039166 0xa9fea9fe 0251.0376.0251.0376
169.254.43518 0 127.0.0.1. 00000177.0.0.1 127.000.000.001 0X7F.0.0.1 %31%32%37.0.0.1 127%2e0%2e0%2e1
""")

_HOSTS = _words("""
localhost LOCALHOST localhost. a.localhost metadata metadata.google.internal METADATA.GOOGLE.INTERNAL.
kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local vendor.acme.svc.cluster.local.
printer.local host.docker.internal ip6-localhost instance-data 169.254.169.254.nip.example loop.example.org
loop6.example.org many.example.org mapped.example.org translated.example.org cgnat.example.org azure.example.org
zero.example.org unknown.example.org [fe80::1%25eth0] [::1%25lo] [v1.fe80::1] [::1 ::1] ①②⑦.⓪.⓪.①
１２７.0.0.1 127。0。0。1
""")

REFUSED: tuple[str, ...] = (
    *(f"https://[{address}]/hook" if ":" in address else f"https://{address}/hook" for address in _ADDRESSES),
    *(f"https://{host}/hook" for host in (*_SPELLINGS, *_HOSTS)),
    # Whose host is it?
    "https://hooks.example.org@127.0.0.1/",
    "https://user@hooks.example.org/",
    "https://user:word@hooks.example.org/",
    "https://hooks.example.org:443@169.254.169.254/",
    "https://127.0.0.1#@hooks.example.org/",
    "https://127.0.0.1?@hooks.example.org/",
    "https://127.0.0.1\\@hooks.example.org/",
    "https://hooks.example.org\\@127.0.0.1/",
    "https://@127.0.0.1/",
    "https://127.0.0.1:443:80/",
    # Other ways than https.
    "http://hooks.example.org/hook",
    "http://93.184.216.34/hook",
    "HTTP://HOOKS.EXAMPLE.ORG/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "ws://hooks.example.org/",
    "wss://hooks.example.org/",
    "unix:///run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/info",
    "data:text/plain,hook",
    "javascript:alert(1)",
    "//hooks.example.org/",
    "hooks.example.org/hook",
    "https:hooks.example.org",
    "https:/hooks.example.org",
    "https://",
    "https:///hook",
    "https://:443/",
    "",
    # What a parser may read in two ways.
    "https://hooks.example.org/\nhook",
    "https://hooks.example.org\r\nHost: 127.0.0.1/",
    "\thttps://hooks.example.org/",
    " https://hooks.example.org/",
    "https://hooks.example.org /",
    "https://hooks.example.org\x00.evil.test/",
    "https://hooks.example.org:0x50/",
    "https://hooks.example.org:99999/",
    "https://hooks.example.org:-1/",
    "https://[::1/",
    "https://::1/",
)

# With what the resolver says, and whether the operator opened 10.1.0.0/16.
ALLOWED: tuple[tuple[str, bool, str], ...] = (
    ("https://8.8.8.8/hook", False, "8.8.8.8"),
    ("https://[2606:4700::1111]/hook", False, "2606:4700::1111"),
    ("https://hooks.example.org/hook", False, "93.184.216.34"),
    ("https://HOOKS.example.org/hook", False, "93.184.216.34"),
    ("HTTPS://hooks.example.org:443/hook?a=b", False, "93.184.216.34"),
    ("https://hooks.example.org:8443/a%2Fb", False, "93.184.216.34"),
    ("https://10.1.2.3/hook", True, "10.1.2.3"),
    ("http://10.1.2.3:8080/hook", True, "10.1.2.3"),
    ("http://inside.example.org/hook", True, "10.1.2.3"),
    ("https://hooks.example.org/hook", True, "93.184.216.34"),
)
# Opening a range opens that range alone.
STILL_REFUSED = (
    *("http://hooks.example.org/", "http://outside.example.org/", "http://10.2.0.1/", "https://10.2.0.1/"),
    *("https://127.0.0.1/", "https://[::ffff:10.1.2.3]/", "https://localhost/", "http://169.254.169.254/latest/"),
)
