{% autoescape off %}# This installs the agent of {{ shown }} on this machine, and enrols it.
#
#   echo TOKEN | sh -c "$(curl -fsS {{ shown }}/install)"
#
# Run it as root on Debian 12, or a Linux like it; the token is made on {{ shown }}/host/.
# Words for the installer come last, after one that stands for its name:
#   ... sh -c "$(curl ...)" install --address 203.0.113.7 --configure-docker
# It may be run again at any time. Nothing happens before its last line: half of it does nothing.

berth_say() {
  printf '%s\n' "$*" >&2
}

berth_refuse() {
  berth_say "berth: $*"
  exit 1
}

# Leaves nothing of what this script itself brought, but for an agent that works.
berth_clean() {
  berth_status=$?
  trap - EXIT
  rm -rf "$berth_work"
  if [ "$berth_status" != 0 ] && [ -n "$berth_brought" ]; then
    DEBIAN_FRONTEND=noninteractive apt-get remove -qq -y "$berth_brought" </dev/null >/dev/null || true
  fi
  exit "$berth_status"
}

berth_install() {
  set -eu
  site={{ site }}
  bundle={{ bundle }}
  sha256={{ sha256 }}
  wheel={{ wheel }}

  [ "$(id -u)" = 0 ] || berth_refuse "Be root: 'sudo -i', and then the same line."
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    berth_refuse "This is no Debian or Ubuntu; docs/hosting.md says what to install by hand."
  fi
  command -v systemctl >/dev/null ||
    berth_refuse "There is no systemd here, which keeps the agent running."
  command -v curl >/dev/null || berth_refuse "curl is missing: 'apt-get install curl' first."

  umask 022
  berth_brought=
  berth_work=$(mktemp -d)
  trap berth_clean EXIT
  trap 'exit 130' INT
  trap 'exit 143' HUP TERM

  if ! command -v python3 >/dev/null; then
    berth_say "Python is missing; apt-get installs it."
    berth_brought=python3
    export DEBIAN_FRONTEND=noninteractive
    # Old lists may do: the install says if not. None of them may read the token.
    apt-get update -qq </dev/null >/dev/null || true
    apt-get install -qq -y --no-install-recommends python3 </dev/null >/dev/null ||
      berth_refuse "Python could not be installed: 'apt-get install python3' says why."
  fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null ||
    berth_refuse "Python 3.11 or later is needed, as Debian 12 has: $(python3 --version) is here."

  # The folder is root's alone, and Python looks for what it loads there and nowhere around it.
  cd "$berth_work"
  curl -fsS --retry 3 --connect-timeout 20 --max-time 300 --max-filesize {{ bytes_max }} \
    -o agent.tar.gz "$bundle" </dev/null ||
    berth_refuse "The agent could not be fetched. If the site has just changed, try once more."
  printf '%s  agent.tar.gz\n' "$sha256" | sha256sum --check --status ||
    berth_refuse "What was fetched is not what $site named by its SHA-256; nothing was changed."
  tar -xzf agent.tar.gz

  # It reads the token from here: on a command line everybody on this machine would see it.
  PYTHONPATH="$berth_work/$wheel" python3 -P -m miner_agent.packaging.here \
    --wheel "$wheel" --requirements requirements.txt --marketplace "$site" \
    {% if public_only %}--public-only {% endif %}"$@"
}

{ berth_install "$@"; }
{% endautoescape %}
