#!/usr/bin/env bash
# Prints the first Python of version 3.11 or newer that can make a virtual environment.
# Where there is none it says what to install and exits with 2.
set -u
unable=
for name in python3.11 python3.12 python3.13 python3.14 python3; do
    python=$(command -v "$name") || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
    unable=$python
done
if [ -n "$unable" ]; then
    echo "$unable cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2
else
    echo "no Python 3.11 or newer found. On Debian and Ubuntu: apt install python3 python3-venv" >&2
fi
exit 2
