'use strict';
// What the events of a trace say: slices by thread, jobs, and how long loops were busy.

// Slices of a thread, from events that have a length, and from pairs of a beginning and an end.
function slicesOf(events) {
  const threads = new Map();
  const thread = (event) => {
    const key = event.pid + ' ' + event.tid;
    if (!threads.has(key)) threads.set(key, { key, name: 'thread ' + event.tid, slices: [], open: [] });
    return threads.get(key);
  };
  let last = 0;
  for (const event of events) if (Number.isFinite(event.ts)) last = Math.max(last, event.ts + (event.dur || 0));
  for (const event of events) {
    const args = event.args || {};
    if (event.ph === 'M') {
      if (event.name === 'thread_name' && args.name) thread(event).name = args.name + ' (' + event.tid + ')';
    } else if (event.ph === 'X' && Number.isFinite(event.ts)) {
      const slice = { name: event.name || '', cat: event.cat || '', start: event.ts, length: event.dur || 0, args };
      thread(event).slices.push(slice);
    } else if (event.ph === 'B' && Number.isFinite(event.ts)) {
      const slice = { name: event.name || '', cat: event.cat || '', start: event.ts, length: 0, args, isOpen: true };
      thread(event).open.push(slice);
      thread(event).slices.push(slice);
    } else if (event.ph === 'E') {
      const slice = thread(event).open.pop();
      if (!slice) continue;
      slice.length = Math.max(0, event.ts - slice.start);
      slice.isOpen = false;
      Object.assign(slice.args, args);
    }
  }
  for (const one of threads.values()) {
    // What had not ended when the recording did lasted to its end.
    for (const slice of one.open) slice.length = last - slice.start;
    one.slices.sort((a, b) => a.start - b.start || b.length - a.length);
    one.depth = nest(one.slices);
  }
  return [...threads.values()].filter((one) => one.slices.length);
}

// Gives each slice its row: below all that it is within. Returns the number of rows.
function nest(slices) {
  const ends = [];
  let rows = 0;
  for (const slice of slices) {
    while (ends.length && ends[ends.length - 1] <= slice.start) ends.pop();
    slice.row = ends.length;
    ends.push(slice.start + slice.length);
    rows = Math.max(rows, ends.length);
  }
  return rows;
}

// The busy times of each loop: from the end of a wait, or the beginning of a run, to the beginning
// of the next wait, or the end of the run.
function lagsOf(threads) {
  const lags = [];
  const add = (at, end) => { if (at !== null && end >= at) lags.push({ at, length: end - at }); };
  for (const thread of threads) {
    let busy = null, runEnd = null, last = 0;
    for (const slice of thread.slices) {
      const end = slice.start + slice.length;
      last = Math.max(last, end);
      if (slice.cat === 'run') {
        if (runEnd !== null) add(busy, runEnd);
        busy = slice.start;
        runEnd = end;
      } else if (slice.cat === 'iteration' && busy === null) {
        busy = slice.start;
      } else if (slice.cat === 'block') {
        add(busy, slice.start);
        busy = end;
      }
    }
    // A run that had not ended when the recording did is not in it.
    add(busy, runEnd === null ? last : runEnd);
  }
  return lags.sort((a, b) => a.at - b.at);
}

// Jobs by name: how long they were queued and ran.
function jobsOf(threads) {
  const jobs = new Map();
  for (const thread of threads) {
    for (const slice of thread.slices) {
      const queued = slice.args.queued_us;
      if (slice.cat !== 'job' || !Number.isFinite(queued)) continue;
      if (!jobs.has(slice.name)) jobs.set(slice.name, { name: slice.name, queued: [], ran: [] });
      jobs.get(slice.name).queued.push(queued);
      jobs.get(slice.name).ran.push(slice.length);
    }
  }
  return [...jobs.values()].sort((a, b) => b.queued.length - a.queued.length);
}

// The value that a part of all values is at most.
function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] : 0;
}

// How many values are in each power of two of microseconds.
function histogram(values) {
  const bins = [];
  for (const value of values) {
    const bin = value < 1 ? 0 : Math.floor(Math.log2(value)) + 1;
    while (bins.length <= bin) bins.push(0);
    bins[bin]++;
  }
  return bins;
}

// A time in its best unit, from microseconds.
function time(us) {
  if (us < 1000) return us.toFixed(us < 10 ? 1 : 0) + ' µs';
  if (us < 1e6) return (us / 1000).toFixed(us < 1e4 ? 2 : 1) + ' ms';
  return (us / 1e6).toFixed(2) + ' s';
}

function modelOf(events) {
  const threads = slicesOf(events);
  const all = threads.flatMap((thread) => thread.slices);
  // No spread: there may be more slices than a call may have arguments.
  let start = Infinity, end = 0, dropped = 0;
  for (const slice of all) {
    start = Math.min(start, slice.start);
    end = Math.max(end, slice.start + slice.length);
  }
  for (const event of events) if (event.name === 'events dropped') dropped += (event.args || {}).count || 0;
  const callbacks = all.filter((slice) => slice.cat === 'callback').sort((a, b) => b.length - a.length);
  return { threads, start: all.length ? start : 0, end, dropped, callbacks, jobs: jobsOf(threads), lags: lagsOf(threads) };
}
