"""What every response says to the browser that gets it."""

from __future__ import annotations

#: The page loads nothing from elsewhere, is framed by nobody, and what is served here is readable
#: by no other origin: there is no CORS header either, ever.
SECURITY_HEADERS: tuple[tuple[str, str], ...] = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
