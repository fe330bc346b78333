"""The exact lines for nginx and Caddy. docs/deploy.md shows them in their whole files."""

from chat.doctor import Lines

NGINX, CADDY = "nginx, in `location /`", "Caddy"

FORWARDED = (
    Lines(
        NGINX,
        "proxy_set_header Host              $http_host;\n"
        "proxy_set_header X-Forwarded-Host  $http_host;\n"
        "proxy_set_header X-Forwarded-Proto $scheme;\n"
        "proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;",
    ),
    Lines(CADDY, "reverse_proxy 127.0.0.1:8000"),
)
UPGRADE = (
    Lines(
        "nginx, above `server`",
        "map $http_upgrade $porchlight_connection {\n    default upgrade;\n    ''      close;\n}",
    ),
    Lines(
        NGINX,
        "proxy_http_version 1.1;\n"
        "proxy_set_header Upgrade    $http_upgrade;\n"
        "proxy_set_header Connection $porchlight_connection;",
    ),
    Lines(CADDY, "reverse_proxy 127.0.0.1:8000"),
)
UNBUFFERED = (Lines(NGINX, "proxy_buffering off;"), Lines("Caddy, in `reverse_proxy`", "flush_interval -1"))
PATIENT = (
    Lines(NGINX, "proxy_read_timeout 75s;\nproxy_send_timeout 75s;"),
    Lines("Caddy, in `reverse_proxy`", "transport http {\n    read_timeout 75s\n}"),
)
TO_HTTPS = (
    Lines("nginx, in the `server` that listens on 80", "return 301 https://$host$request_uri;"),
    Lines("Caddy", "redir https://{host}{uri} permanent"),
)


def hidden(header: str) -> tuple[Lines, ...]:
    """To get rid of a header that the proxy adds: any `add_header` of its own keeps those from above away."""
    return (
        Lines(NGINX, f"# and without: add_header {header} ...;\nadd_header X-Proxy nginx;"),
        Lines("Caddy, in the site's block", f"header -{header}"),
    )
