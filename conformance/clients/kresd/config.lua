-- A resolver that asks nobody: what is not answered from here is refused.
log_level('notice')
net.ipv6 = false
net.listen('127.0.0.1', 5301, { kind = 'dns' })
net.listen('127.0.0.1', 5302, { kind = 'tls' })
net.listen('127.0.0.1', 5303, { kind = 'webmgmt' })
cache.size = 10 * MB
for _, name in ipairs({ 'priming', 'detect_time_skew', 'detect_time_jump', 'ta_update',
                        'ta_signal_query', 'ta_sentinel' }) do
  if modules_loaded == nil or modules.unload then pcall(modules.unload, name) end
end
trust_anchors.remove('.')
modules = { 'hints > iterate', 'policy' }
for number = 1, 1000 do
  hints.set(string.format('h%d.example.test 127.2.%d.%d', number, number / 250, number % 250 + 1))
end
policy.add(policy.suffix(policy.DENY_MSG('not here'), policy.todnames({ 'denied.test.' })))
policy.add(policy.pattern(policy.ANSWER({ [kres.type.A] = { rdata = kres.str2ip('127.0.0.9'), ttl = 60 } }),
  '\4many\4test'))
policy.add(policy.suffix(policy.REFUSE, policy.todnames({ 'refused.test.' })))
