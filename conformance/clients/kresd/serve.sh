#!/bin/sh
# kresd answers from its hints and policies, dig asks over UDP and TCP; in an empty folder.
set -eu
ask() { dig @127.0.0.1 -p 5301 +time=10 +tries=10 "$@"; }
fail() { echo "$*" >&2; exit 1; }

kresd -n -q -c "$OXUV_SCRIPTS/config.lua" "$PWD" >&2 &
kresd=$!
until ask +time=1 +tries=1 +short h1.zone.oxuv > first.txt 2>&1 && grep -q 127.2.0.2 first.txt; do
  kill -0 "$kresd" || fail "kresd ended"
  sleep 0.2
done
echo ready
read -r line
[ "$line" = go ]

[ "$(ask +notcp +short h7.zone.oxuv)" = 127.2.0.8 ] || fail "UDP"
[ "$(ask +tcp +short h8.zone.oxuv)" = 127.2.0.9 ] || fail "TCP"
ask denied.oxuv > denied.txt
grep -q 'status: NXDOMAIN' denied.txt || fail "not denied"
ask refused.oxuv > refused.txt
grep -q 'status: REFUSED' refused.txt || fail "not refused"

awk 'BEGIN { for (n = 1; n <= 125; n++) for (k = 0; k < 8; k++)
  printf "h%d.zone.oxuv A\n", n + k * 125 > "questions." k }'
pids=""
for k in 0 1 2 3; do
  ask +short -f "questions.$k" > "answers.$k" &
  pids="$pids $!"
  ask +tcp +keepopen +short -f "questions.$((k + 4))" > "answers.$((k + 4))" &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done
[ "$(cat answers.* | sort -u | wc -l)" = 1000 ] || fail "1,000 answers"
kill -TERM "$kresd"
wait "$kresd" || fail "kresd ended with $?"
echo "kresd: UDP, TCP, policies, 1,000 questions"
