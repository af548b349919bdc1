-- A resolver that asks no other: what is not answered from here is refused.
log_level('notice')
net.ipv6 = false
net.listen('127.0.0.1', 5301, { kind = 'dns' })
cache.size = 10 * MB
for _, name in ipairs({ 'priming', 'detect_time_skew', 'detect_time_jump', 'ta_update',
                        'ta_signal_query', 'ta_sentinel' }) do
  modules.unload(name)
end
trust_anchors.remove('.')
modules = { 'hints > iterate', 'policy' }
for number = 1, 1000 do
  hints.set(string.format('h%d.zone.oxuv 127.2.%d.%d', number, number / 250, number % 250 + 1))
end
policy.add(policy.suffix(policy.DENY_MSG('not here'), policy.todnames({ 'denied.oxuv.' })))
policy.add(policy.suffix(policy.REFUSE, policy.todnames({ 'refused.oxuv.' })))
