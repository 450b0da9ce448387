//! What runs in the server.

use super::lane::Ask;
use super::wire::write;
use crate::base::hex;
use crate::store::{Counter, Rate};

/// What is asked of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Take,
    /// As `Take`, and nothing is kept.
    Look,
    GiveBack,
}

/// GCRA in microseconds since 2026, which a double holds to a thousandth for centuries. A value
/// that lies further ahead than a whole burst, after a step of the server's clock, counts as a
/// whole burst, and is written down as that, or it would lie ahead until the old time comes; one
/// that is none of ours counts as nothing. One that was kept under another rate is converted, so
/// that units which were used stay used.
///
/// `KEYS[1]`: the counter. `ARGV`: microseconds of a unit, of a burst, of what is asked; mode. The
/// answer in nanoseconds: when all that was used will have drained away, or, below zero, how long
/// to wait.
pub(super) const TAKE: &str = "\
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000000 + time[2]
local unit, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept, debt, ahead = redis.pcall('GET', KEYS[1]), 0, false
if type(kept) == 'string' and #kept < 64 then
  local tat, its = string.match(kept, '^(%d+%.%d+) (%d+%.%d+)$')
  tat, its = tonumber(tat), tonumber(its)
  if tat and its and its > 0 and tat > now then
    debt = (tat - now) * unit / its
    if not (debt <= burst) then
      debt, ahead = burst, true
    end
  end
end
local answer
if ARGV[4] == 'back' then
  debt = math.max(debt - cost, 0)
elseif debt + cost > burst + unit / 1000 then
  answer = -math.max(math.ceil((debt + cost - burst) * 1000), 1)
else
  debt = debt + cost
end
if ARGV[4] ~= 'look' and (not answer or ahead) then
  if debt > 0 then
    redis.call('SET', KEYS[1], string.format('%.3f %.6f', now + debt, unit), 'PX', math.ceil(debt / 1000))
  else
    redis.call('DEL', KEYS[1])
  end
end
return answer or math.ceil(debt * 1000)
";

/// Notes that a process counts here; how many have in the last half minute. What is none of ours in
/// that place gives way. `KEYS[1]`: all of them. `ARGV[1]`: this one.
pub(super) const PRESENT: &str = "\
local now = tonumber(redis.call('TIME')[1])
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then
  redis.call('DEL', KEYS[1])
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 30)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 30, 'inf')
redis.call('EXPIRE', KEYS[1], 60)
return redis.call('ZCARD', KEYS[1])
";

/// How a script is named: by what is known of it, or as a whole, which the server then knows.
#[derive(Clone, Copy)]
pub(super) enum Named<'a> {
    Hash(&'a str),
    Text(&'static str),
}

impl Named<'_> {
    const fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Hash(hash) => [b"EVALSHA", hash.as_bytes()],
            Self::Text(text) => [b"EVAL", text.as_bytes()],
        }
    }
}

/// The name of a counter: nothing in it is a caller's. One hash tag, should it be a cluster one
/// day.
fn key_of(name: &str, counter: &Counter) -> String {
    format!("{{{name}}}:limit:{}", hex::encode(counter.bytes()))
}

pub(super) fn take(script: Named<'_>, name: &str, ask: &Ask, out: &mut Vec<u8>) {
    let Ask { counter, rate, cost, mode } = ask;
    let [unit, burst, asked] = micros(*rate, *cost);
    let mode: &[u8] = match mode {
        Mode::Take => b"take",
        Mode::Look => b"look",
        Mode::GiveBack => b"back",
    };
    let [command, text] = script.parts();
    let key = key_of(name, counter);
    let numbers = [unit.as_bytes(), burst.as_bytes(), asked.as_bytes()];
    let [unit, burst, asked] = numbers;
    write(&[command, text, b"1", key.as_bytes(), unit, burst, asked, mode], out);
}

pub(super) fn present(script: Named<'_>, name: &str, process: &str, out: &mut Vec<u8>) {
    let [command, text] = script.parts();
    let key = format!("{{{name}}}:processes");
    write(&[command, text, b"1", key.as_bytes(), process.as_bytes()], out);
}

/// Microseconds of a unit, a burst and what is asked for.
fn micros(rate: Rate, cost: u32) -> [String; 3] {
    let burst = f64::from(rate.period) * 1e6;
    let unit = burst / f64::from(rate.burst.max(1));
    [unit, burst, unit * f64::from(cost)].map(|number| format!("{number:.6}"))
}
