#!/bin/sh
# Configures, builds and tests the project with the generator given; called in an empty folder.
set -eu
generator=$1
source=${0%/*}/project
# Where ready.sh finds this script's pipes, however deep it is called.
exec 8<&0 9>&1
OXUV_READY_OUT=/proc/$$/fd/9 OXUV_READY_IN=/proc/$$/fd/8
export OXUV_READY_OUT OXUV_READY_IN

cmake -G "$generator" -S "$source" -B build >&2
cmake --build build --parallel 4 >&2
# A second time there is nothing to do.
cmake --build build --parallel 4 >&2
ctest --test-dir build -LE bad -j 8 --output-on-failure > good.txt || { cat good.txt >&2; exit 1; }
cat good.txt >&2
# These are to be reported, each for its own reason.
if ctest --test-dir build -L bad -j 8 > bad.txt; then
  echo "bad tests pass"
  exit 1
fi
cat bad.txt >&2
grep -q 'fails .*Failed' bad.txt
grep -q 'dies .*Subprocess killed' bad.txt
grep -q 'hangs .*Timeout' bad.txt
grep 'tests passed' good.txt
