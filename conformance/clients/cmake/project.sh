#!/bin/sh
# Configures, builds and tests the project with the generator given; called in an empty folder.
set -eu
generator=$1
source=${0%/*}/project
# Where ready.sh finds this script's pipes, however deep it is called.
OXUV_READY_OUT=/proc/$$/fd/1 OXUV_READY_IN=/proc/$$/fd/0
export OXUV_READY_OUT OXUV_READY_IN

cmake -G "$generator" -S "$source" -B build >&2
cmake --build build --parallel 4 >&2
# A second time there is nothing to do.
cmake --build build --parallel 4 >&2
ctest --test-dir build -j 8 --output-on-failure --timeout 250 > ctest.txt || { cat ctest.txt >&2; exit 1; }
cat ctest.txt >&2
grep 'tests passed' ctest.txt
