#!/usr/bin/env bash
# Runs a make target on every supported Python that this machine has, each in an environment of its own: test_matrix.sh TARGET
# Looks in PATH and among pyenv's versions. Fails when a run failed, or when there is no interpreter at all.
set -uo pipefail
target=${1:-test}
versions=(3.11 3.12 3.13)

# pyenv's shims are in PATH for versions that are not active, and then only say so.
find_python() {
    local python
    for python in "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if "$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

outcomes=() failed=0 ran=0
for version in "${versions[@]}"; do
    python=$(find_python "$version")
    if [[ -z $python ]]; then
        outcomes+=("Python $version: not found")
        continue
    fi
    ran=1
    echo "== Python $version: $python"
    if make --no-print-directory "VENV=.venv-$version" "PYTHON=$python" "$target"; then
        outcomes+=("Python $version: passed")
    else
        outcomes+=("Python $version: failed")
        failed=1
    fi
done

echo "== make $target on every Python of this machine"
printf '%s\n' "${outcomes[@]}"
if [[ $ran == 0 ]]; then
    echo "No Python of ${versions[*]} was found in PATH or among pyenv's versions." >&2
    exit 1
fi
exit "$failed"
