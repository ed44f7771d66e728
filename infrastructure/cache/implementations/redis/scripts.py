"""What has to happen in one step on a Redis server, in its own language.

Each takes the physical names of values and of their leases as keys, so that a cluster can place
it. They are sent whole each time: a server keeps the compiled form by itself, and none can have
forgotten it. What needs memory stands first: after a first write a full server refuses nothing.
"""

from typing import Final

#: KEYS: values, then their leases; ARGV: milliseconds, then the data of each.
SET: Final = """\
local count = #KEYS / 2
for at = 1, count do
  redis.call('SET', KEYS[at], ARGV[at + 1], 'PX', ARGV[1])
end
redis.call('DEL', unpack(KEYS, count + 1))
return count"""

#: KEYS: values, then their leases. Gives how many values were there.
DELETE: Final = """\
local count = #KEYS / 2
redis.call('DEL', unpack(KEYS, count + 1))
return redis.call('UNLINK', unpack(KEYS, 1, count))"""

#: KEYS: value, lease; ARGV: milliseconds, data.
ADD: Final = """\
if not redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2])
return 1"""

#: KEYS: lease; ARGV: milliseconds, token. Asked twice with one token, it answers the same.
LEASE: Final = """\
if redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[1]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[2] then return 1 end
return 0"""

#: KEYS: value, lease; ARGV: milliseconds, token, data.
FILL: Final = """\
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[1])
redis.call('DEL', KEYS[2])
return 1"""

#: KEYS: lease; ARGV: token.
RELEASE: Final = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])"""

#: KEYS: value, lease; ARGV: milliseconds, amount, mark, end mark. A number stands between the
#: marks as text; the server's own INCRBY adds, since Lua has no whole numbers of 64 bits.
INCREMENT: Final = """\
local old = redis.call('GET', KEYS[1])
if not old then
  redis.call('SET', KEYS[1], ARGV[3] .. ARGV[2] .. ARGV[4], 'PX', ARGV[1])
  redis.call('DEL', KEYS[2])
  return ARGV[2]
end
local first, last = #ARGV[3], #old - #ARGV[4]
if string.sub(old, 1, first) ~= ARGV[3] or string.sub(old, last + 1) ~= ARGV[4] then
  return redis.error_reply('NOTANUMBER what is stored is not a whole number')
end
redis.call('SET', KEYS[1], string.sub(old, first + 1, last), 'KEEPTTL')
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(sum) == 'table' then
  redis.call('SET', KEYS[1], old, 'KEEPTTL')
  return redis.error_reply('TOOLARGE the sum is beyond 64 bits')
end
redis.call('DEL', KEYS[2])
local text = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[3] .. text .. ARGV[4], 'KEEPTTL')
return text"""
