"""What has to happen to a stream and its groups in one step."""

from typing import Final

from infrastructure.connections.database.redis.scripts import RedisScript

#: KEYS: stream, dead letters; ARGV: group, consumer, idle milliseconds, how many, most
#: deliveries, most dead letters. Takes over what nobody has worked on for so long: what was
#: delivered often enough becomes a dead letter, and what was trimmed away is forgotten. A command
#: takes about 8000 words from Lua: the fields of a wider entry are kept as one, in MessagePack.
#: Gives what was taken, each with its deliveries, then how many were dead, and how many trimmed.
CLAIM: Final = RedisScript(
    "stream.claim",
    """\
local taken, dead, trimmed = {}, 0, 0
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1],
    'IDLE', ARGV[3], '-', '+', ARGV[4])) do
  local id, deliveries = pending[1], pending[4]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not entry then
    redis.call('XACK', KEYS[1], ARGV[1], id)
    trimmed = trimmed + 1
  elseif deliveries >= tonumber(ARGV[5]) then
    local fields = entry[2]
    if #fields > 7000 then fields = {'dead:fields', cmsgpack.pack(fields)} end  -- unpack's limit
    for _, each in ipairs({'dead:stream', KEYS[1], 'dead:group', ARGV[1],
        'dead:id', id, 'dead:deliveries', deliveries}) do
      fields[#fields + 1] = each
    end
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', unpack(fields))
    redis.call('XACK', KEYS[1], ARGV[1], id)
    dead = dead + 1
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id)
    taken[#taken + 1] = {id, entry[2], deliveries + 1}
  end
end
return {taken, dead, trimmed}""",
    keys=2,
    arguments=6,
)

#: KEYS: stream; ARGV: group, consumer, ids. Says of each id that is still the consumer's that it
#: is worked on. Gives those that are not.
TOUCH: Final = RedisScript(
    "stream.touch",
    """\
local lost = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 0 then
    lost[#lost + 1] = id
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'JUSTID')
  end
end
return lost""",
    keys=1,
    arguments=None,
)

#: KEYS: stream; ARGV: group, consumer, idle milliseconds, then ids, each with how often it was
#: delivered before. Lets others have those that are still the consumer's, as if it never had.
GIVE_BACK: Final = RedisScript(
    "stream.give_back",
    """for at = 4, #ARGV, 2 do
  local id = ARGV[at]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', ARGV[3],
      'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
  end
end""",
    keys=1,
    arguments=None,
)

#: KEYS: stream; ARGV: idle milliseconds. Removes entries that every group is done with, and
#: consumers that have nothing and were not heard of for so long. The last entry stays.
TIDY: Final = RedisScript(
    "stream.tidy",
    """\
local function is_before(one, other)
  local a, b = string.match(one, '^(%d+)'), string.match(other, '^(%d+)')
  if a ~= b then return tonumber(a) < tonumber(b) end
  a, b = string.match(one, '(%d+)$'), string.match(other, '(%d+)$')
  if #a ~= #b then return #a < #b end
  return a < b
end
local function named(flat)
  local found = {}
  for at = 1, #flat, 2 do found[flat[at]] = flat[at + 1] end
  return found
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local needed
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(flat)
  local first = redis.call('XPENDING', KEYS[1], group.name)[2] or group['last-delivered-id']
  if not needed or is_before(first, needed) then needed = first end
  for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group.name)) do
    local consumer = named(each)
    if consumer.pending == 0 and consumer.idle > tonumber(ARGV[1]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group.name, consumer.name)
    end
  end
end
if not needed then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', needed)""",
    keys=1,
    arguments=1,
)
