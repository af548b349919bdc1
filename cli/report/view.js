'use strict';
// Shows the model: the timeline, the tables and the charts.
const model = modelOf(JSON.parse(document.getElementById('events').textContent));
const byId = (id) => document.getElementById(id);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const HUES = { callback: 210, job: 130, block: 0, phase: 265, iteration: 40, run: 180 };
const ROW = 18, GAP = 22;
const view = { start: model.start, end: Math.max(model.end, model.start + 1), selected: null };

// A canvas at the resolution of the screen; returns its context and its size.
function prepare(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  if (height) canvas.style.height = height + 'px';
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * scale));
  canvas.height = Math.max(1, Math.round(box.height * scale));
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.clearRect(0, 0, box.width, box.height);
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  return { context, width: box.width, height: box.height };
}

function fill(slice) {
  if (slice === view.selected) return color('--mark');
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const hue = HUES[slice.cat] ?? 300;
  return `hsl(${hue} ${slice.cat === 'block' ? 0 : 55}% ${isDark ? 38 : 75}%)`;
}

function label(slice) {
  return slice.cat === 'callback' && slice.args.symbol ? slice.name + ' ' + slice.args.symbol : slice.name;
}

function drawTimeline() {
  const height = GAP + model.threads.reduce((sum, thread) => sum + GAP + thread.depth * ROW, 0);
  const { context, width } = prepare(byId('timeline'), height);
  const perUs = width / (view.end - view.start);
  drawScale(context, width, height, perUs);
  let top = GAP;
  for (const thread of model.threads) {
    thread.top = top + GAP;
    context.fillStyle = color('--text');
    context.fillText(thread.name, 4, top + GAP / 2);
    drawSlices(context, thread, width, perUs);
    top += GAP + thread.depth * ROW;
  }
}

function drawScale(context, width, height, perUs) {
  const rough = (view.end - view.start) / Math.max(2, width / 120);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= rough);
  const first = Math.ceil((view.start - model.start) / step) * step;
  for (let at = first; at <= view.end - model.start; at += step) {
    const x = (at + model.start - view.start) * perUs;
    context.fillStyle = color('--line');
    context.fillRect(x, 0, 1, height);
    context.fillStyle = color('--dim');
    context.fillText(time(at), x + 3, GAP / 2);
  }
}

function drawSlices(context, thread, width, perUs) {
  // Of slices in the same pixel of a row one is drawn.
  const drawn = new Array(thread.depth).fill(-1);
  for (const slice of thread.slices) {
    if (slice.start > view.end) break;
    const left = (slice.start - view.start) * perUs;
    const right = left + slice.length * perUs;
    if (right < 0 || (slice !== view.selected && right < drawn[slice.row])) continue;
    const x = Math.max(left, -1), y = thread.top + slice.row * ROW;
    const wide = Math.max(1, Math.min(right, width + 1) - x);
    drawn[slice.row] = Math.floor(x + wide) + (wide < 2 ? 1 : 0);
    context.fillStyle = fill(slice);
    context.fillRect(x, y, wide > 3 ? wide - 0.5 : wide, ROW - 2);
    if (wide < 30) continue;
    context.save();
    context.beginPath();
    context.rect(x, y, wide - 4, ROW);
    context.clip();
    context.fillStyle = slice === view.selected ? color('--back') : color('--text');
    context.fillText(label(slice), Math.max(x, 0) + 3, y + ROW / 2 - 1);
    context.restore();
  }
}

function sliceAt(x, y) {
  const width = byId('timeline').getBoundingClientRect().width;
  const perUs = width / (view.end - view.start);
  const at = view.start + x / perUs, near = 2 / perUs;
  for (const thread of model.threads) {
    const row = Math.floor((y - thread.top) / ROW);
    if (row < 0 || row >= thread.depth) continue;
    const hits = thread.slices.filter((slice) => slice.row === row
      && slice.start - near <= at && at <= slice.start + slice.length + near);
    return hits.sort((a, b) => a.length - b.length)[0] || null;
  }
  return null;
}

function select(slice) {
  view.selected = slice;
  let text = 'Nothing is selected.';
  if (slice) {
    text = `${slice.cat} ${slice.name}\nafter ${time(slice.start - model.start)}, for ${time(slice.length)}`
      + (slice.isOpen ? ', when the recording ended' : '');
    for (const [name, value] of Object.entries(slice.args)) text += `\n${name}: ${value}`;
  }
  byId('details').textContent = text;
  drawTimeline();
}

// Zooms by a factor around a point, which stays where it is.
function zoom(factor, part) {
  const length = view.end - view.start, at = view.start + length * part;
  const next = Math.min(Math.max(length * factor, 1), model.end - model.start || 1);
  view.start = at - next * part;
  move(0, next);
}

// Moves by a part of what is shown, within the trace.
function move(part, length = view.end - view.start) {
  const latest = Math.max(model.start, model.end - length);
  view.start = Math.min(Math.max(view.start + part * length, model.start), latest);
  view.end = view.start + length;
  drawTimeline();
}

function showAll() {
  view.start = model.start;
  view.end = Math.max(model.end, model.start + 1);
  drawTimeline();
}

function listen() {
  const canvas = byId('timeline');
  let drag = null;
  const part = (event) => event.offsetX / canvas.getBoundingClientRect().width;
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / 1000);
    else zoom(event.deltaY < 0 ? 0.8 : 1.25, part(event));
  }, { passive: false });
  canvas.addEventListener('pointerdown', (event) => {
    drag = { part: part(event), x: event.offsetX, isMoved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag || (!drag.isMoved && Math.abs(event.offsetX - drag.x) < 4)) return;
    drag.isMoved = true;
    move(drag.part - part(event));
    drag.part = part(event);
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag && !drag.isMoved) select(sliceAt(event.offsetX, event.offsetY));
    drag = null;
  });
  canvas.addEventListener('keydown', (event) => {
    const action = {
      '+': () => zoom(0.5, 0.5), '-': () => zoom(2, 0.5), '0': showAll,
      ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function row(table, cells, isHead) {
  const line = table.insertRow();
  for (const cell of cells) {
    const part = document.createElement(isHead ? 'th' : 'td');
    part.textContent = typeof cell === 'number' ? time(cell) : cell;
    if (typeof cell === 'number' || /^[0-9]/.test(cell) || (isHead && cell.endsWith(' '))) part.className = 'number';
    line.append(part);
  }
  return line;
}

function fillTables() {
  const longest = byId('longest');
  row(longest, ['length ', 'after ', 'callback', 'function'], true);
  for (const slice of model.callbacks.slice(0, 30)) {
    const name = slice.args.symbol || '';
    const line = row(longest, [slice.length, slice.start - model.start, slice.name, name]);
    line.tabIndex = 0;
    const show = () => {
      const length = Math.max(slice.length * 4, 10);
      view.start = slice.start - length / 3;
      move(0, Math.min(length, model.end - model.start || 1));
      select(slice);
      byId('timeline').scrollIntoView({ block: 'center' });
    };
    line.addEventListener('click', show);
    line.addEventListener('keydown', (event) => { if (event.key === 'Enter') show(); });
  }
  const pool = byId('pool');
  row(pool, ['job', 'count ', 'queued: median ', '99 % ', 'worst ', 'ran: median ', 'worst '], true);
  for (const job of model.jobs) {
    row(pool, [job.name, String(job.queued.length), quantile(job.queued, 0.5), quantile(job.queued, 0.99),
      quantile(job.queued, 1), quantile(job.ran, 0.5), quantile(job.ran, 1)]);
  }
}

// A histogram: one bar for each power of two.
function drawHistogram(canvas, values) {
  const { context, width, height } = prepare(canvas);
  const bins = histogram(values), most = bins.reduce((a, b) => Math.max(a, b), 1);
  const wide = Math.min(60, width / Math.max(1, bins.length));
  context.textAlign = 'center';
  bins.forEach((count, bin) => {
    const tall = (height - 36) * count / most;
    context.fillStyle = color('--mark');
    context.fillRect(bin * wide + 1, height - 18 - tall, wide - 2, tall);
    context.fillStyle = color('--dim');
    if (count) context.fillText(count, bin * wide + wide / 2, height - 26 - tall);
    if (wide > 44 || bin % 2 === 0) context.fillText('< ' + time(2 ** bin), bin * wide + wide / 2, height - 9);
  });
  if (!values.length) empty(context, width, height);
}

function empty(context, width, height) {
  context.textAlign = 'center';
  context.fillStyle = color('--dim');
  context.fillText('Nothing was recorded.', width / 2, height / 2);
}

// The longest lag of each pixel, over time.
function drawLag() {
  const { context, width, height } = prepare(byId('lag'));
  const most = model.lags.reduce((longest, lag) => Math.max(longest, lag.length), 1);
  const perUs = width / Math.max(1, model.end - model.start);
  context.fillStyle = color('--mark');
  for (const lag of model.lags) {
    const tall = Math.max(1, (height - 20) * lag.length / most);
    context.fillRect((lag.at - model.start) * perUs, height - tall, Math.max(1, lag.length * perUs), tall);
  }
  context.fillStyle = color('--dim');
  context.fillText('worst: ' + time(most), 4, 10);
  if (!model.lags.length) empty(context, width, height);
}

function drawAll() {
  drawTimeline();
  drawHistogram(byId('queued'), model.jobs.flatMap((job) => job.queued));
  drawLag();
  drawHistogram(byId('lags'), model.lags.map((lag) => lag.length));
}

const slices = model.threads.reduce((sum, thread) => sum + thread.slices.length, 0);
byId('summary').textContent = `${time(model.end - model.start)}; threads: ${model.threads.length}, slices: ${slices}, `
  + `callbacks: ${model.callbacks.length}`
  + (model.dropped ? `; ${model.dropped} events were dropped` : '');
fillTables();
listen();
drawAll();
addEventListener('resize', drawAll);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
