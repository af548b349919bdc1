# A name server answers for a zone of its own, over UDP and TCP.
named -V | grep -q "libuv version: $1"
cat > zone <<'END'
$TTL 60
@ IN SOA ns.example. root.example. 1 60 60 60 60
@ IN NS ns.example.
ns IN A 127.0.0.1
host IN A 192.0.2.7
END
cat > named.conf <<END
options {
  directory "$PWD"; pid-file none; session-keyfile "$PWD/key"; recursion no; notify no;
  listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; };
};
controls { };
zone "example" { type master; file "$PWD/zone"; };
END
touch log
named -g -c named.conf >> log 2>&1 &
server=$!
# dig tries again while nobody answers; the lines of the log say when somebody does.
tail -n +1 --pid=$server -f log | grep -q ' running$' || { cat log; exit 1; }
for over in +notcp +tcp; do
  answer=$(dig @127.0.0.1 -p 5300 $over +short host.example)
  test "$answer" = 192.0.2.7
done
kill $server
wait $server
echo "uv $1: answers over UDP and TCP"
