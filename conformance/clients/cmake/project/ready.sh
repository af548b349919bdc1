#!/bin/sh
# Called by cmake and ctest: has the processes inspected while they wait.
set -eu
echo ready > "$OXUV_READY_OUT"
read -r line < "$OXUV_READY_IN"
[ "$line" = go ]
