#!/usr/bin/env bash
# Makes .venv with the package and what a run needs (`run`), or also what the tests need (`test`).
# Does nothing where that was already done with the same pins, in the same place.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1-}" in
    run) package=. ;;
    test) package='.[test]' ;;
    *) echo "usage: tools/venv.sh run|test" >&2; exit 2 ;;
esac
state=$(cksum pyproject.toml constraints.txt; pwd)

# What the tests need includes what a run needs.
for stamp in ".venv/made-for-$1" .venv/made-for-test; do
    [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || exit 0
done

usable() { .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
install() { .venv/bin/python -m pip install -qq --disable-pip-version-check --no-compile -c constraints.txt "$@"; }

if ! usable; then
    python=$(bash tools/find-python.sh) || exit $?
    echo "making .venv with $python" >&2
    "$python" -m venv --clear .venv
fi
rm -f .venv/made-for-*
echo "installing accelsim into .venv (pins: constraints.txt)" >&2
install hatchling editables
install --no-build-isolation --editable "$package"
printf '%s\n' "$state" > ".venv/made-for-$1"
