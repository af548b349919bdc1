#!/bin/sh
# named serves a zone, dig asks for it over UDP and TCP; called in an empty folder.
set -eu
server="@127.0.0.1 -p 5300"
ask() { dig $server +time=10 +tries=10 "$@"; }
fail() { echo "$*" >&2; exit 1; }

zone() {
  echo '$TTL 60'
  echo "@ SOA ns.example.test. root.example.test. $1 60 60 60 60"
  echo '@ NS ns'
  echo 'ns A 127.0.0.1'
  echo 'host A 127.0.0.2'
  echo 'host AAAA ::2'
  # More than fits into a datagram, and a zone that takes many messages.
  awk 'BEGIN { for (n = 1; n <= 80; n++) printf "many A 127.1.0.%d\n", n
               for (n = 1; n <= 5000; n++) printf "h%d A 127.2.%d.%d\n", n, n / 250, n % 250 + 1 }'
}

cat > named.conf <<END
options {
  directory "$PWD";
  listen-on port 5300 { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion no;
  dnssec-validation no;
  allow-transfer { 127.0.0.1; };
  minimal-responses yes;
};
controls { };
zone "example.test" { type primary; file "zone"; };
END
zone 1 > zone
named -g -4 -n 2 -c named.conf >&2 &
named=$!
until ask +time=1 +tries=1 +short host.example.test > host.txt 2>&1 && grep -q 127.0.0.2 host.txt; do
  kill -0 "$named" || fail "named ended"
  sleep 0.2
done
echo ready
read -r line
[ "$line" = go ]

[ "$(ask +notcp +short host.example.test A)" = 127.0.0.2 ] || fail "A over UDP"
[ "$(ask +tcp +short host.example.test AAAA)" = ::2 ] || fail "AAAA over TCP"
ask nothing.example.test > nothing.txt
grep -q 'status: NXDOMAIN' nothing.txt || fail "a name that is not there"
# Cut off in a datagram of the old size, whole over TCP, to which dig turns by itself.
ask +notcp +ignore +noedns many.example.test > cut.txt
grep -q 'flags:.* tc' cut.txt || fail "not cut off"
[ "$(ask +noedns +short many.example.test | wc -l)" = 80 ] || fail "80 addresses"
[ "$(ask +notcp +short +bufsize=4096 many.example.test | wc -l)" = 80 ] || fail "a large datagram"
[ "$(ask +noall +answer AXFR example.test | grep -c 'IN.A.127\.2\.')" = 5000 ] || fail "the zone"

# 1,000 questions over UDP by 8 at a time, and 500 on one connection of TCP.
awk 'BEGIN { for (n = 1; n <= 125; n++) for (k = 0; k < 8; k++)
  printf "h%d.example.test A\n", n + k * 125 > "questions." k }'
pids=""
for k in 0 1 2 3 4 5 6 7; do
  ask +short -f "questions.$k" > "answers.$k" &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done
[ "$(cat answers.* | sort -u | wc -l)" = 1000 ] || fail "1,000 answers"
[ "$(ask +tcp +keepopen +short -f questions.0 -f questions.1 | grep -c '^127\.2\.')" -ge 125 ] ||
  fail "answers on one connection"

# A new zone, taken over without a pause.
sleep 1
zone 2 > zone
kill -HUP "$named"
until [ "$(ask +short example.test SOA | cut -d ' ' -f 3)" = 2 ]; do sleep 0.1; done
kill -TERM "$named"
wait "$named" || fail "named ended with $?"
echo "named: UDP, TCP, a zone transfer, 1,000 questions, reload"
