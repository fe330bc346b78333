#!/bin/sh
# Finds what the tests need beside Python packages: Chromium, nginx and Dovecot; on Linux strace and a C compiler too (they
# prove the order of fsync and answer, and move the server's clock), Firefox and WebKitGTK (the other engines),
# and WordPress with PHP and MariaDB (a host as many have it). Prints
# Chromium's path, and nothing else, on standard output. What is missing is installed by apt when root; for anyone else Playwright may fetch its own
# Chromium into the user's cache; what is missing after that is named.
set -u
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/bin"
python="$(dirname "$0")/../.venv/bin/python"
chosen=${PORCHLIGHT_CHROMIUM:-}

say() { echo "$*" >&2; }

# Ubuntu's chromium-browser may be a stub that only says "install the snap": only what knows its version counts.
runs() { command -v "$1" >/dev/null && "$1" --version >/dev/null 2>&1; }

have() { command -v "$1" >/dev/null; }

have_nginx() { have nginx; }

have_dovecot() { have dovecot; }

is_linux() { [ "$(uname)" = Linux ]; }

have_strace() { ! is_linux || have strace; }

have_firefox() { ! is_linux || have firefox-esr || have firefox; }

have_webkit() { ! is_linux || { have WebKitWebDriver && have Xvfb; }; }

wordpress="wordpress wordpress-theme-twentytwentyone wordpress-theme-twentytwentythree php-cli php-mysql mariadb-server-core"
have_wordpress() { ! is_linux || { have_themes && have mariadbd && have php && php -m | grep -q mysqli; }; }
have_themes() { themes=/usr/share/wordpress/wp-content/themes; [ -d $themes/twentytwentyone ] && [ -d $themes/twentytwentythree ]; }

have_compiler() { ! is_linux || have cc || have tcc; }

find_chromium() {
  if [ -n "$chosen" ]; then
    runs "$chosen" && command -v "$chosen"
    return
  fi
  for name in chromium chromium-browser google-chrome; do
    runs "$name" && command -v "$name" && return
  done
  runs "$(playwrights)" && playwrights
}

playwrights() {
  "$python" -c 'from playwright.sync_api import sync_playwright
with sync_playwright() as playwright: print(playwright.chromium.executable_path)' 2>/dev/null
}

apt_allowed() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
  say "Installing $* ..."
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
}

found=$(find_chromium)
if [ -z "$found" ] && [ -n "$chosen" ]; then
  say "PORCHLIGHT_CHROMIUM is '$chosen', which can't be run."
  exit 1
elif [ -z "$found" ]; then
  if apt_allowed; then
    apt_install chromium fonts-liberation fonts-noto-color-emoji
  else
    say "No Chromium here: Playwright fetches its own ..."
    "$python" -m playwright install chromium >&2
  fi
  found=$(find_chromium)
fi
have_nginx || { apt_allowed && apt_install nginx; }
have_dovecot || { apt_allowed && apt_install dovecot-imapd; }
have_strace || { apt_allowed && apt_install strace; }
have_compiler || { apt_allowed && apt_install tcc; }
have_firefox || { apt_allowed && apt_install firefox-esr; }
have_wordpress || { apt_allowed && apt_install $wordpress; }
have_webkit || { apt_allowed && apt_install webkit2gtk-driver xvfb; }

missing=
[ -n "$found" ] || missing="Chromium"
have_nginx || missing="${missing:+$missing, }nginx"
have_dovecot || missing="${missing:+$missing, }Dovecot"
have_strace || missing="${missing:+$missing, }strace"
have_compiler || missing="${missing:+$missing, }a C compiler"
have_firefox || missing="${missing:+$missing, }Firefox"
have_wordpress || missing="${missing:+$missing, }WordPress, PHP and MariaDB"
have_webkit || missing="${missing:+$missing, }WebKitWebDriver and Xvfb"
if [ -n "$missing" ]; then
  say "The tests need: $missing. On Debian or Ubuntu: sudo apt install chromium nginx dovecot-imapd strace tcc firefox-esr webkit2gtk-driver xvfb $wordpress." \
    "On macOS: brew install nginx dovecot."
  exit 1
fi
echo "$found"
