/*
 * The status page. Asks for status.json and history.json, which lie beside it, and draws what they say; nothing
 * else is ever asked for. Names come from the configuration and are treated as hostile all the same: they become
 * text nodes and attribute values, never markup.
 *
 * In order: small helpers, figures as text, the history kept here, plots, timelines, tables, the headline,
 * the loop.
 */
"use strict";
(() => {

// ---- small helpers ----

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const k in attributes)
		e.setAttribute(k, attributes[k]);
	e.append(...children);
	return e;
}

function draw(name, attributes, ...children) {
	const e = document.createElementNS(SVG, name);
	for (const k in attributes)
		e.setAttribute(k, attributes[k]);
	e.append(...children);
	return e;
}

// Touches the page only where something has changed.
function say(e, text) {
	if (e.textContent !== text)
		e.textContent = text;
}

// ---- figures as text ----

function short(n) {
	if (n >= 1e9) return (n / 1e9).toPrecision(3) + "G";
	if (n >= 1e6) return (n / 1e6).toPrecision(3) + "M";
	if (n >= 1e5) return (n / 1e3).toPrecision(3) + "k";
	return String(Math.round(n));
}

function rate(n) {
	if (n === null || n === undefined) return "–";
	return n > 0 && n < 9.95 && n % 1 ? n.toFixed(1) : short(n);
}

function latency(s) {
	if (!s) return "–";
	const ms = s * 1000, plain = (v, digits) => String(Number(v.toFixed(digits)));
	if (ms < 0.1) return plain(ms * 1000, 0) + " µs";
	if (ms < 10) return plain(ms, ms < 1 ? 2 : 1) + " ms";
	return ms < 1000 ? plain(ms, 0) + " ms" : plain(s, 1) + " s";
}

function span(s) {
	s = Math.max(0, Math.floor(s));
	const two = n => String(n).padStart(2, "0");
	if (s < 60) return s + "s";
	if (s < 3600) return Math.floor(s / 60) + "m" + two(s % 60) + "s";
	if (s < 172800) return Math.floor(s / 3600) + "h" + two(Math.floor(s / 60) % 60) + "m";
	return Math.floor(s / 86400) + "d" + two(Math.floor(s / 3600) % 24) + "h";
}

const today = d => d.toDateString() === new Date().toDateString();

function clock(ms) {
	const d = new Date(ms), two = n => String(n).padStart(2, "0");
	const time = two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds());
	return today(d) ? time : d.getFullYear() + "-" + two(d.getMonth() + 1) + "-" + two(d.getDate()) + " " + time;
}

const percent = (part, all) => all > 0 ? Math.min(100, 100 * part / all) : 0;
const hundredths = p => p === 0 ? "0" : p < 0.01 ? "<0.01" : p < 10 ? p.toFixed(2) : p.toFixed(0);

// A state has a word, a sign and a pattern, so that nobody needs its colour.
const SIGNS = { up: "●", down: "✕", ejected: "◐", drain: "▽", maint: "■", unknown: "?", leaving: "→" };
const WORST = ["down", "ejected", "unknown", "maint", "drain", "leaving", "up"];

function badge(state) {
	return make("span", { class: "badge " + (state in SIGNS ? state : "unknown") },
		make("span", { "aria-hidden": "true" }, SIGNS[state] || "?"), state);
}

// ---- the history, as far as it is kept here ----

let past = null;	// of one range: { step, points, first, end, firstMs, instance, pools, workers, servers, events }

const seriesOf = {
	instance: ["connections", "clients", "in_flight"],
	pools: ["requests", "errors", "in_flight", "waiting", "servers_up", "p50", "p90", "p99"],
	workers: ["requests", "refused", "in_flight", "clients", "idle_upstreams", "busy", "loop_lag"],
	servers: ["requests", "errors", "in_flight", "p50", "p90", "p99"],
};

const keyOf = {
	pools: r => r.name,
	workers: r => String(r.slot),
	servers: r => r.pool + "/" + r.name,
};

// [["up", 3], [null, 1]] as ["up", "up", "up", null]
function unroll(runs) {
	const out = [];
	for (const [state, n] of runs || [])
		for (let i = 0; i < n; i++)
			out.push(state);
	return out;
}

function begin(h) {
	past = { span: h.span, step: h.step_seconds, points: h.points, first: h.first, end: h.first, started: h.started_unix,
		instance: {}, pools: new Map(), workers: new Map(), servers: new Map(), events: [], event: 0 };
	extend(h);
}

// Puts new steps behind those that are there. Rows that are new begin with nothing, rows that are gone are left out.
function extend(h) {
	const keep = past.points, gap = Math.min(Math.max(0, h.first - past.end), keep), add = h.end - h.first;

	const grow = (old, values, length) => {
		const list = old || new Array(length).fill(null);
		for (let i = 0; i < gap; i++)
			list.push(null);
		for (let i = 0; i < add; i++)
			list.push(values && i < values.length ? values[i] : null);
		if (list.length > keep)
			list.splice(0, list.length - keep);
		return list;
	};
	const length = past.end - past.first;
	for (const s of seriesOf.instance)
		past.instance[s] = grow(past.instance[s], h.instance[s], length);
	for (const kind of ["pools", "workers", "servers"]) {
		const now = new Map();
		for (const r of h[kind]) {
			const key = keyOf[kind](r), row = past[kind].get(key) || {};
			for (const s of seriesOf[kind])
				if (r[s] || row[s])
					row[s] = grow(row[s], r[s], length);
			if (kind === "servers")
				row.states = grow(row.states, unroll(r.states), length);
			now.set(key, row);
		}
		past[kind] = now;
	}
	past.end = h.end;
	past.first = Math.max(past.first, past.end - keep);
	past.firstMs = h.first_unix_ms - (h.first - past.first) * past.step * 1000;
	for (const e of h.events)
		if (e.number > past.event) {
			past.events.push(e);
			past.event = e.number;
		}
	past.events.splice(0, Math.max(0, past.events.length - 200));
}

/*
 * What is drawn of it: of a balancer that runs for less than the range not the time before it, but two minutes at
 * least (of long ranges: as many steps).
 */
let frame = { from: 0, n: 0 };

function choose() {
	const n = past.end - past.first, lists = [past.instance.clients, ...[...past.workers.values()].map(w => w.clients)].filter(l => l);
	let from = n;
	for (const l of lists) {
		const i = l.findIndex(v => v !== null);
		if (i >= 0 && i < from) from = i;
	}
	from = Math.max(0, Math.min(from, n - Math.min(n, 120)));
	frame = { from, n: n - from };
}

const cut = list => frame.from ? list.slice(frame.from) : list;
const timeOf = i => past.firstMs + (frame.from + i) * past.step * 1000;

// ---- plots ----

const HEIGHT = 132, LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 18;

// The places of the time axis with a label: [index, text].
function ticks(n, width) {
	const seconds = n * past.step, every = [30, 60, 120, 300, 600, 900, 3600, 7200, 14400, 21600].find(s => seconds / s <= Math.max(2, width / 62)) || 43200;
	const out = [];
	for (let i = 0; i < n; i++) {
		const t = Math.floor(timeOf(i) / 1000), zone = new Date(t * 1000).getTimezoneOffset() * 60;
		if (Math.floor((t - zone) / every) !== Math.floor((t - zone - past.step) / every))
			out.push([i, clock(Math.floor(t / every) * every * 1000).slice(-8, every < 60 ? undefined : -3)]);
	}
	return out;
}

function niceTop(v) {
	if (!(v > 0)) return 1;
	const unit = Math.pow(10, Math.floor(Math.log10(v)));
	for (const m of [1, 2, 3, 4, 5, 6, 8, 10])
		if (v <= m * unit * 1.0001) return m * unit;
	return 10 * unit;
}

class Plot {
	// series: [{ name, key, css, area }]; options: { log, text, whole }
	constructor(title, options) {
		this.title = title;
		this.options = options;
		this.read = make("span", { class: "read" });
		this.svg = draw("svg", { height: HEIGHT, role: "img" });
		this.legend = make("ul", { class: "legend" });
		this.at = -1;
		this.element = make("figure", { class: "plot", tabindex: "0" }, make("figcaption", {}, make("span", {}, title), this.read), this.svg, this.legend);
		this.svg.addEventListener("pointermove", e => this.point(e));
		this.svg.addEventListener("pointerleave", () => this.move(-1));
		this.element.addEventListener("keydown", e => this.key(e));
		this.element.addEventListener("blur", () => this.move(-1));
	}

	point(e) {
		const box = this.svg.getBoundingClientRect(), inner = box.width - LEFT - RIGHT;
		const x = (e.clientX - box.left - LEFT) / inner;
		this.move(x < 0 || x > 1 || !past ? -1 : Math.round(x * (frame.n - 1)));
	}

	key(e) {
		const n = past ? frame.n : 0, from = this.at < 0 ? n : this.at;
		const to = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 30, PageDown: from + 30, Home: 0, End: n - 1, Escape: -1 }[e.key];
		if (to === undefined) return;
		e.preventDefault();
		this.move(to < 0 && e.key !== "Escape" ? 0 : Math.min(to, n - 1));
		if (this.at >= 0)
			say($("spoken"), this.title + ", " + this.sentence());
	}

	move(at) {
		this.at = at;
		this.draw(this.series);
	}

	text(v) { return v === null || v === undefined ? "–" : this.options.text(v); }
	last(values) {
		for (let i = values.length - 1; i >= 0 && i >= values.length - 3; i--)
			if (values[i] !== null) return values[i];
		return null;
	}
	value(s) { return this.at >= 0 ? s.values[this.at] : this.last(s.values); }
	sentence() {
		const when = this.at >= 0 ? clock(timeOf(this.at)) + ": " : "now ";
		return when + this.series.map(s => s.name + " " + this.text(this.value(s))).join(", ");
	}

	// In words, for those who do not see it.
	describe() {
		const parts = this.series.map(s => {
			const v = s.values.filter(x => x !== null);
			return s.name + ": now " + this.text(this.last(s.values)) + (v.length ? ", at most " + this.text(v.reduce((a, b) => Math.max(a, b), 0)) : "");
		});
		return this.title + " of the last " + span(frame.n * past.step) + ". " + parts.join("; ");
	}

	thin(values, first, bin, peak) {
		if (bin === 1) return values;
		const out = [];
		for (let i = first; i < values.length; i += bin) {
			const some = values.slice(Math.max(0, i), i + bin).filter(v => v !== null);
			out.push(some.length === 0 ? null : peak ? Math.max(...some) : some.reduce((a, b) => a + b) / some.length);
		}
		return out;
	}

	scale(series) {
		let top = 0, low = Infinity;
		for (const s of series)
			for (const v of s.values)
				if (v !== null) {
					if (v > top) top = v;
					if (v > 0 && v < low) low = v;
				}
		const inner = HEIGHT - TOP - BOTTOM, y = part => HEIGHT - BOTTOM - inner * part;
		if (!this.options.log) {
			top = niceTop(Math.max(top, this.options.least || 0));
			const lines = [0, top / 2, top];
			return { y: v => y(Math.min(1, v / top)), lines };
		}
		if (!(top > 0)) { top = 0.01; low = 0.001; }
		const a = Math.floor(Math.log10(low) + 1e-9), b = Math.max(a + 1, Math.ceil(Math.log10(top) - 1e-9)), lines = [];
		for (let e = a; e <= b; e += b - a > 4 ? 2 : 1)
			lines.push(Math.pow(10, e));
		return { y: v => y(v > 0 ? Math.max(0, (Math.log10(v) - a) / (b - a)) : 0), lines };
	}

	// "M..L..": lines over what is there, nothing over what is not.
	path(values, x, y) {
		let d = "", pen = false;
		for (let i = 0; i < values.length; i++) {
			const v = values[i];
			if (v === null || (this.options.log && !(v > 0))) { pen = false; continue; }
			const alone = !pen && (i + 1 >= values.length || values[i + 1] === null);
			d += (pen ? "L" : "M") + x(i).toFixed(1) + " " + y(v).toFixed(1) + (alone ? "h1" : "");
			pen = true;
		}
		return d;
	}

	area(values, x, y) {
		let d = "", from = -1;
		const close = to => {
			if (from >= 0 && to > from)
				d += "L" + x(to).toFixed(1) + " " + y(0).toFixed(1) + "L" + x(from).toFixed(1) + " " + y(0).toFixed(1) + "Z";
			from = -1;
		};
		for (let i = 0; i < values.length; i++) {
			if (values[i] === null) { close(i - 1); continue; }
			d += (from < 0 ? "M" : "L") + x(i).toFixed(1) + " " + y(values[i]).toFixed(1);
			if (from < 0) from = i;
		}
		close(values.length - 1);
		return d;
	}

	draw(series) {
		if (!series || !past) return;
		this.series = series;	// values: as many as are shown
		const width = Math.max(200, Math.round(this.svg.getBoundingClientRect().width) || 400), n = frame.n, inner = width - LEFT - RIGHT;
		// More points than there is room for are drawn as means of some in a row; of the worst series as their maxima.
		const bin = Math.max(1, Math.ceil(n / (inner / 3)));
		const first = -((past.first + frame.from) % bin);	// so that they do not wander with time
		const drawn = series.map(s => Object.assign({}, s, { values: this.thin(s.values, first, bin, s.peak) }));
		const exact = i => LEFT + (n > 1 ? inner * i / (n - 1) : inner), x = i => exact(Math.max(0, Math.min(n - 1, first + i * bin + (bin - 1) / 2)));
		const { y, lines } = this.scale(drawn), parts = [];
		for (const v of lines)
			parts.push(draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }),
				draw("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, this.options.text(v)));
		for (const [i, text] of ticks(n, inner))
			if (exact(i) > LEFT + 14 && exact(i) < width - 3.2 * text.length)
				parts.push(draw("text", { x: exact(i), y: HEIGHT - 4, "text-anchor": "middle" }, text));
		for (const s of drawn)
			if (s.area)
				parts.push(draw("path", { class: "area " + s.css, d: this.area(s.values, x, y) }));
		for (const s of drawn)
			parts.push(draw("path", { class: "curve " + s.css, d: this.path(s.values, x, y) }));
		if (this.at >= 0 && this.at < n)
			parts.push(draw("line", { class: "cross", x1: exact(this.at), x2: exact(this.at), y1: TOP, y2: HEIGHT - BOTTOM }));
		this.svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
		this.svg.replaceChildren(...parts);
		this.svg.setAttribute("aria-label", this.describe());
		say(this.read, this.at >= 0 && this.at < n ? clock(timeOf(this.at)) : "");
		this.legend.replaceChildren(...series.map(s => make("li", {},
			draw("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" }, draw("path", { class: "curve " + s.css, d: "M0 5H22" })),
			s.name, make("b", {}, this.text(this.value(s))))));
	}
}

// ---- timelines ----

function patterns() {
	const at = (id, w, ...shape) => draw("pattern", { id, width: w, height: w, patternUnits: "userSpaceOnUse" }, ...shape);
	const line = d => draw("path", { class: "hatch", d });
	return draw("svg", { width: 0, height: 0, "aria-hidden": "true", class: "hidden" }, draw("defs", {},
		at("p-down", 8, line("M-2 2L2 -2M0 8L8 0M6 10L10 6")),
		at("p-ejected", 6, line("M3 0V6")),
		at("p-drain", 6, line("M0 3H6")),
		at("p-maint", 7, line("M0 0L7 7M0 7L7 0")),
		at("p-unknown", 6, line("M1 3H4"))));
}

class Timeline {
	constructor() {
		this.lanes = make("div", {});
		this.note = make("p", { class: "note" });
		this.key = make("ul", { class: "key" });
		this.element = make("div", { class: "timeline" }, make("h3", {}, "State of each server"), this.lanes, this.note, this.key);
	}

	runs(states) {
		const out = [];
		states.forEach((s, i) => {
			const run = out[out.length - 1];
			if (run && run.state === s) run.n++;
			else out.push({ state: s, from: i, n: 1 });
		});
		return out;
	}

	lane(name, states, width) {
		const n = states.length, parts = [], words = [];
		for (const r of this.runs(states)) {
			if (r.state === null) continue;
			const x = width * r.from / n, w = Math.max(r.state === "up" ? 0 : 3, width * r.n / n), thin = r.state === "up" ? 6 : 0;
			const text = r.state + " from " + clock(timeOf(r.from)) + ", " + span(r.n * past.step);
			const known = r.state in SIGNS ? r.state : "unknown";
			const group = draw("g", {}, draw("title", {}, name + ": " + text),
				draw("rect", { class: "f-" + known, x, y: thin, width: w, height: 20 - 2 * thin }));
			if (!thin) {
				group.append(draw("rect", { fill: "url(#p-" + known + ")", x, y: 0, width: w, height: 20 }));
				if (w > 8 * (r.state.length + 2)) {
					const box = 7 * r.state.length + 8;
					group.append(draw("rect", { class: "f-" + known, x: x + w / 2 - box / 2, y: 2, width: box, height: 16, rx: 3 }),
						draw("text", { x: x + w / 2, y: 14, "text-anchor": "middle" }, r.state));
				}
				words.push(text);
			}
			parts.push(group);
		}
		const now = states[n - 1];
		const label = name + ": " + (now ? "now " + now : "no longer known") + (words.length ? "; " + words.slice(-5).join("; ") : "; never anything else in this time");
		const end = name.length > 21 ? "…" + name.slice(-20) : name;	// long names differ at their ends
		return make("div", { class: "lane" }, make("span", { title: name }, end),
			draw("svg", { viewBox: "0 0 " + width + " 20", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...parts));
	}

	draw(rows) {
		const width = Math.max(120, (this.lanes.clientWidth || 600) - (matchMedia("(max-width: 640px)").matches ? 100 : 160)), seen = new Set();
		const troubled = rows.filter(r => r.states.some(s => s !== "up" && s !== null));
		const shown = rows.length <= 24 ? rows : troubled.slice(0, 48);
		const lanes = shown.map(r => this.lane(r.name, r.states, width));
		shown.forEach(r => r.states.forEach(s => s && seen.add(s)));
		if (shown.length) {
			const n = frame.n, axis = draw("svg", { class: "axis", viewBox: "0 0 " + width + " 16", preserveAspectRatio: "none", "aria-hidden": "true" });
			for (const [i, text] of ticks(n, width))
				if (width * i / n > 16 && width * i / n < width - 16)
					axis.append(draw("text", { x: width * i / n, y: 12, "text-anchor": "middle" }, text));
			lanes.push(make("div", { class: "lane" }, make("span", {}), axis));
		}
		this.lanes.replaceChildren(...lanes);
		say(this.note, rows.length <= 24 ? "" : troubled.length === 0 ? "All " + rows.length + " servers were up all the time." :
			"Shown are " + shown.length + " of " + rows.length + " servers: those that were not up all the time.");
		this.key.replaceChildren(...WORST.filter(s => seen.has(s)).map(s => make("li", {}, badge(s))));
	}
}

// ---- tables ----

class Table {
	// columns: [{ name, css, value(row) for sorting, cell(row) text or node, first: "descending", head: row header }]
	constructor(table, caption, columns, sort) {
		this.columns = columns;
		this.sort = sort;
		this.down = false;
		this.rows = new Map();
		this.body = make("tbody");
		this.heads = columns.map(c => {
			const button = make("button", { type: "button" }, c.name), th = make("th", { scope: "col", class: c.css || "" }, button);
			button.addEventListener("click", () => this.by(c));
			return th;
		});
		table.append(make("caption", {}, caption), make("thead", {}, make("tr", {}, ...this.heads)), this.body);
		this.mark();
	}

	by(column) {
		this.down = this.sort === column.name ? !this.down : column.first === "descending";
		this.sort = column.name;
		this.mark();
		this.fill(this.data);
	}

	mark() {
		this.columns.forEach((c, i) => {
			if (c.name === this.sort) this.heads[i].setAttribute("aria-sort", this.down ? "descending" : "ascending");
			else this.heads[i].removeAttribute("aria-sort");
		});
	}

	// data: [{ key, css, ... }]
	fill(data) {
		if (!data) return;
		this.data = data;
		const column = this.columns.find(c => c.name === this.sort), order = new Map(data.map((r, i) => [r, i]));
		const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : (a || 0) - (b || 0);
		const sorted = [...data].sort((a, b) => (this.down ? -1 : 1) * compare(column.value(a), column.value(b)) || order.get(a) - order.get(b));
		const left = new Set(this.rows.keys());
		sorted.forEach((r, i) => {
			left.delete(r.key);
			let row = this.rows.get(r.key);
			if (!row) {
				row = make("tr", {}, ...this.columns.map(c => make(c.head ? "th" : "td", c.head ? { scope: "row" } : { class: c.css || "" })));
				row.shown = [];
				this.rows.set(r.key, row);
			}
			if (row.className !== (r.css || "")) row.className = r.css || "";
			this.columns.forEach((c, k) => {
				const v = c.cell(r), mark = typeof v === "object" ? v.textContent + v.className + (v.dataset ? v.dataset.mark : "") : v;
				if (row.shown[k] === mark) return;
				row.shown[k] = mark;
				row.children[k].replaceChildren(v);
			});
			if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] || null);
		});
		for (const key of left) {
			this.rows.get(key).remove();
			this.rows.delete(key);
		}
	}
}

function bar(text, part) {
	const fill = make("i"), e = make("span", {}, text, make("span", { class: "bar", "aria-hidden": "true" }, fill));
	fill.style.width = Math.round(100 * Math.min(1, part || 0)) + "%";
	e.dataset.mark = fill.style.width;
	return e;
}

const recent = r => r.recent || { rate: null, error_rate: 0, p50_seconds: 0, p90_seconds: 0, p99_seconds: 0 };
const errorPart = r => r.recent ? percent(r.recent.error_rate, r.recent.rate) : null;

function errorCell(r) {
	const p = errorPart(r);
	if (p === null) return "–";
	return p >= 1 ? make("span", { class: "badtext" }, hundredths(p)) : hundredths(p);
}

function since(s) {
	return s.since_unix === null ? "–" : span(now() / 1000 - s.since_unix);
}

function probe(s) {
	const p = s.probe;
	if (!p.count) return p.outcome === "not probed yet" ? "–" : p.outcome;
	return p.outcome + (p.outcome === "ok" ? " " + latency(p.latency_seconds) : "") +
		(p.age_seconds === null ? "" : ", " + span(p.age_seconds) + " ago");
}

const tables = {
	servers: new Table($("servers"), "Rates, errors and latencies are of the last seconds. Press a heading to sort.", [
		{ name: "Server", css: "l", head: true, value: s => s.pool + "/" + s.name,
			cell: s => make("span", {}, s.pool + "/" + s.name, make("small", {}, s.address || "name not resolved")) },
		{ name: "State", css: "l", value: s => WORST.indexOf(s.state), cell: s => badge(s.state) },
		{ name: "Since", value: s => -(s.since_unix || 0), cell: since, first: "ascending" },
		{ name: "Why", css: "l wrap", value: s => s.why, cell: s => s.why },
		{ name: "Weight", css: "wide", value: s => s.weight, cell: s => s.weight + (s.weight_by_hand ? " by hand" : "") + (s.backup ? " backup" : "") },
		{ name: "In flight", value: s => s.in_flight, cell: s => s.in_flight + (s.maxconn ? "/" + s.maxconn : ""), first: "descending" },
		{ name: "Requests/s", value: s => recent(s).rate, cell: s => rate(recent(s).rate), first: "descending" },
		{ name: "Errors %", value: errorPart, cell: errorCell, first: "descending" },
		{ name: "p50", value: s => recent(s).p50_seconds, cell: s => latency(recent(s).p50_seconds), first: "descending" },
		{ name: "p99", value: s => recent(s).p99_seconds, cell: s => latency(recent(s).p99_seconds), first: "descending" },
		{ name: "Available %", css: "wide", value: s => s.availability_percent, cell: s => s.availability_percent.toFixed(2) },
		{ name: "Last probe", css: "l wrap wide", value: s => s.probe.outcome, cell: probe },
	], "State"),
	workers: new Table($("workers"), "Processes that carry the traffic.", [
		{ name: "Worker", css: "l", head: true, value: w => w.slot, cell: w => String(w.slot) },
		{ name: "State", css: "l", value: w => w.state, cell: w => w.state },
		{ name: "Pid", value: w => w.pid, cell: w => String(w.pid) },
		{ name: "Age", value: w => w.age_seconds, cell: w => w.age_seconds === null ? "–" : span(w.age_seconds) },
		{ name: "Clients", value: w => w.clients, cell: w => short(w.clients), first: "descending" },
		{ name: "In flight", value: w => w.in_flight, cell: w => short(w.in_flight), first: "descending" },
		{ name: "Requests/s", value: w => w.rate_now, cell: w => rate(w.rate_now), first: "descending" },
		{ name: "Busy %", value: w => w.busy_now, cell: w => w.busy_now === null ? "–" : bar((100 * w.busy_now).toFixed(0), w.busy_now), first: "descending" },
		{ name: "Longest turn", css: "wide", value: w => w.loop_lag_seconds, cell: w => latency(w.loop_lag_seconds), first: "descending" },
		{ name: "Idle upstreams", css: "wide", value: w => w.idle_upstreams, cell: w => short(w.idle_upstreams), first: "descending" },
		{ name: "Deaths", value: w => w.restarts, cell: w => w.restarts ? make("span", { class: "badtext" }, String(w.restarts)) : "0", first: "descending" },
	], "Worker"),
	pools: new Table($("pooltable"), "Servers that share the work.", [
		{ name: "Pool", css: "l", head: true, value: p => p.name, cell: p => p.name },
		{ name: "Up", value: p => p.servers_up / (p.servers || 1), cell: p => p.servers_up + " of " + p.servers },
		{ name: "In flight", value: p => p.in_flight, cell: p => short(p.in_flight), first: "descending" },
		{ name: "Waiting", value: p => p.queue.waiting, cell: p => short(p.queue.waiting), first: "descending" },
		{ name: "Requests/s", value: p => recent(p).rate, cell: p => rate(recent(p).rate), first: "descending" },
		{ name: "Errors %", value: errorPart, cell: errorCell, first: "descending" },
		{ name: "p50", value: p => recent(p).p50_seconds, cell: p => latency(recent(p).p50_seconds), first: "descending" },
		{ name: "p99", value: p => recent(p).p99_seconds, cell: p => latency(recent(p).p99_seconds), first: "descending" },
		{ name: "Retries", css: "wide", value: p => p.retries, cell: p => short(p.retries), first: "descending" },
	], "Pool"),
	listeners: new Table($("listeners"), "Where clients connect.", [
		{ name: "Listener", css: "l", head: true, value: l => l.name, cell: l => l.name },
		{ name: "Clients", value: l => l.clients, cell: l => short(l.clients) + (l.max_connections ? " of " + short(l.max_connections) : ""), first: "descending" },
		{ name: "Connections/s", value: l => l.rate_now, cell: l => rate(l.rate_now), first: "descending" },
		{ name: "Accepted", value: l => l.accepted, cell: l => short(l.accepted), first: "descending" },
		{ name: "State", css: "l", value: l => l.at_limit ? 1 : 0, cell: l => l.at_limit ? make("span", { class: "badtext" }, "at its limit") : l.leaving ? "leaving" : "open" },
	], "Listener"),
};

$("filter").addEventListener("input", () => showServers());

// ---- what is shown ----

let state = null;	// status.json, as it came last
let skew = 0;		// the balancer's clock less this one's, ms
const now = () => Date.now() + skew;
const rates = new Map();

// A counter's rate between two answers, for what the history does not have.
function rateOf(key, value) {
	const old = rates.get(key), t = performance.now();
	if (old && t - old.t < 500) return old.rate;
	const r = old && value >= old.value ? (value - old.value) / ((t - old.t) / 1000) : null;
	rates.set(key, { t, value, rate: r });
	return r;
}

const lastOf = list => {
	for (let i = (list || []).length - 1, n = 0; i >= 0 && n < 3; i--, n++)
		if (list[i] !== null) return list[i];
	return null;
};

function problems() {
	const out = [], add = (weight, sign, text) => out.push({ weight, sign, text });
	const i = state.instance;
	for (const p of state.pools)
		if (p.servers && !p.servers_up && !p.leaving)
			add(3, "✕", "pool " + p.name + " has no server left: its requests get an error");
	for (const s of state.servers) {
		const name = s.pool + "/" + s.name;
		const when = s.since_unix === null ? "" : " since " + clock(s.since_unix * 1000) + " (" + since(s) + ")";
		const why = s.why ? ": " + s.why : "";
		if (s.state === "down") add(2, "✕", name + " is down" + when + why);
		else if (s.state === "ejected") add(2, "◐", name + " is ejected" + why);
		else if (s.state === "drain" || s.state === "maint") add(1, SIGNS[s.state], name + " is in " + s.state + when + why);
		else if (s.state === "unknown") add(1, "?", name + why);
		else if (s.state === "up" && errorPart(s) >= 5 && recent(s).rate >= 1)
			add(2, "!", name + ": " + hundredths(errorPart(s)) + " % of its requests fail");
		else if (s.state === "up" && /bad probe/.test(s.why)) add(1, "!", name + why);
	}
	for (const p of state.pools)
		if (p.queue.waiting) add(1, "!", "pool " + p.name + ": " + p.queue.waiting + " requests wait for a server with room");
	for (const l of state.listeners)
		if (l.at_limit) add(2, "!", "listener " + l.name + " is at its limit of connections: clients wait");
	for (const w of state.workers)
		if (w.busy_seconds > 2) add(2, "!", "worker " + w.slot + " (pid " + w.pid + ") has been busy with one thing for " + span(w.busy_seconds));
	if (!i.alive) add(2, "!", "the supervisor is gone: nothing new is accepted");
	if (!i.health_pid) add(2, "!", "there is no health process: verdicts stay as they are");
	return out.sort((a, b) => b.weight - a.weight);
}

function showHeadline() {
	const list = problems(), worst = list.length ? list[0].weight : 0;
	const css = worst >= 2 ? "bad" : worst === 1 ? "warn" : "good";
	const servers = state.servers.filter(s => s.state !== "leaving"), up = servers.filter(s => s.state === "up").length;
	const bad = list.filter(p => p.weight >= 2).length;
	say($("headline"), worst >= 2 ? bad + (bad === 1 ? " thing is wrong" : " things are wrong") + ": " + up + " of " + servers.length + " servers up" :
		worst === 1 ? "Running, with " + list.length + (list.length === 1 ? " remark" : " remarks") + ": " + up + " of " + servers.length + " servers up" :
		"All is well: " + up + " of " + servers.length + " servers up");
	$("now").className = css;
	$("mark").className = css;
	say($("mark"), worst >= 2 ? "✕" : "●");
	const shown = list.slice(0, 12).map(p => p.sign + " " + p.text);
	if (list.length > 12) shown.push("… and " + (list.length - 12) + " more, see the table of servers");
	const ul = $("problems");
	while (ul.children.length > shown.length) ul.lastChild.remove();
	shown.forEach((text, k) => ul.children[k] ? say(ul.children[k], text) : ul.append(make("li", {}, text)));
	document.title = (worst >= 2 ? "✕ " + bad + " wrong – " : worst === 1 ? "! " : "") + state.instance.name;
	const colour = css === "good" ? "%231a7f37" : css === "warn" ? "%23b35900" : "%23c8102e";
	const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='" + colour + "'/></svg>";
	if ($("icon").href !== icon) $("icon").href = icon;
}

function showFigures() {
	const i = state.instance;
	let requests = null, errors = 0, p50 = 0, p99 = 0;
	for (const p of state.pools)
		if (p.recent) {
			requests += p.recent.rate;
			errors += p.recent.error_rate;
			p50 += p.recent.rate * p.recent.p50_seconds;
			p99 = Math.max(p99, p.recent.p99_seconds);
		}
	const figures = [
		["Requests", rate(requests), "/s"],
		["Errors", rate(errors), "/s, " + hundredths(percent(errors, requests)) + " %"],
		["Latency p50", requests ? latency(p50 / requests) : "–", ""],
		["p99 of the worst pool", latency(p99), ""],
		["In flight", short(state.pools.reduce((n, p) => n + p.in_flight, 0)), ""],
		["Clients", short(i.clients), ""],
		["Connections", rate(lastOf(past && past.instance.connections)), "/s"],
	];
	const dl = $("figures");
	figures.forEach(([name, value, unit], k) => {
		if (!dl.children[k]) dl.append(make("div", {}, make("dt", {}, name), make("dd", {}, make("span"), " ", make("small"))));
		const dd = dl.children[k].lastChild;
		say(dd.firstChild, value);
		say(dd.lastChild, unit);
	});
	say($("title"), i.name);
	say($("about"), "version " + i.version + " · pid " + i.pid + " · up " + span(i.uptime_seconds) + " · configuration " + i.generation);
	$("about").title = "This configuration serves since " + clock((i.reloaded_unix || i.started_unix) * 1000);
}

const pools = new Map();

function poolView(p) {
	let v = pools.get(p.name);
	if (v) return v;
	v = {
		title: make("h2", {}, "Pool " + p.name), about: make("p"), timeline: new Timeline(),
		traffic: new Plot("Requests and errors per second", { text: rate }),
		latency: new Plot("Latency, logarithmic", { text: latency, log: true }),
		inflight: new Plot("In flight by server", { text: rate }),
	};
	v.element = make("section", { class: "pool", "aria-label": "Pool " + p.name }, make("div", { class: "title" }, v.title, v.about),
		make("div", { class: "plots" }, v.traffic.element, v.latency.element, v.inflight.element), v.timeline.element);
	$("pools").append(v.element);
	pools.set(p.name, v);
	return v;
}

function showPools() {
	const left = new Set(pools.keys());
	for (const p of state.pools) {
		const v = poolView(p), h = past.pools.get(p.name);
		left.delete(p.name);
		say(v.about, p.balance + " · check " + p.check + " · " + p.servers_up + " of " + p.servers + " up" + (p.leaving ? " · leaving" : "") +
			(p.queue.waiting ? " · " + p.queue.waiting + " waiting" : ""));
		if (!h || !h.requests) continue;
		v.traffic.draw([{ name: "requests", values: cut(h.requests), css: "k0", area: true }, { name: "errors", values: cut(h.errors), css: "kbad", area: true }]);
		v.latency.draw([{ name: "p50", values: cut(h.p50), css: "k0" }, { name: "p90", values: cut(h.p90), css: "k4" }, { name: "p99", values: cut(h.p99), css: "k1", peak: true }]);
		const rows = state.servers.filter(s => s.pool === p.name).map(s => ({ name: s.name, of: past.servers.get(s.pool + "/" + s.name), now: s.in_flight })).filter(r => r.of);
		const lines = rows.filter(r => r.of.in_flight);
		if (lines.length > 8) lines.sort((a, b) => Math.max(...b.of.in_flight) - Math.max(...a.of.in_flight)).splice(8);
		v.inflight.draw(lines.length && rows.length <= 60 ? lines.map((r, k) => ({ name: r.name, values: cut(r.of.in_flight), css: "k" + k })) :
			[{ name: "all servers", values: cut(h.in_flight), css: "k0", area: true }]);
		v.timeline.draw(rows.map(r => ({ name: r.name, states: cut(r.of.states) })));
	}
	for (const name of left) {
		pools.get(name).element.remove();
		pools.delete(name);
	}
}

function showServers() {
	if (!state) return;
	const words = $("filter").value.trim().toLowerCase().split(/\s+/).filter(w => w), all = state.servers;
	const rows = all.filter(s => words.every(w => (s.pool + "/" + s.name + " " + s.state + " " + s.why + " " + s.address).toLowerCase().includes(w)));
	for (const s of rows) {
		s.key = s.pool + "/" + s.name;
		s.css = s.state === "down" || s.state === "ejected" ? "sick" : s.state !== "up" || errorPart(s) >= 5 ? "poor" : "";
	}
	tables.servers.fill(rows);
	say($("filtered"), words.length ? rows.length + " of " + all.length + " servers" : "");
}

const workerPlots = {
	inflight: new Plot("In flight by worker", { text: rate }),
	busy: new Plot("Busy, part of the time", { text: v => v === 0 ? "0 %" : (100 * v).toFixed(v < 0.095 ? 1 : 0) + " %", least: 0.1 }),
};
$("worker-plots").append(workerPlots.inflight.element, workerPlots.busy.element);

function showWorkers() {
	const rows = state.workers.map(w => {
		const h = past.workers.get(String(w.slot)) || {};
		return Object.assign(w, { key: w.slot, rate_now: lastOf(h.requests), busy_now: lastOf(h.busy), css: w.busy_seconds > 2 ? "sick" : "" });
	});
	tables.workers.fill(rows);
	const shown = rows.slice(0, 8).map((w, k) => ({ w, h: past.workers.get(String(w.slot)), css: "k" + k })).filter(r => r.h);
	workerPlots.inflight.draw(shown.map(r => ({ name: "worker " + r.w.slot, values: cut(r.h.in_flight), css: r.css })));
	workerPlots.busy.draw(shown.map(r => ({ name: "worker " + r.w.slot, values: cut(r.h.busy), css: r.css })));
}

function eventText(e) {
	if (e.kind === "generation") return "configuration " + e.generation + " serves";
	if (e.kind === "worker") return "worker " + e.slot + " died and was replaced";
	const name = e.name ? e.pool + "/" + e.name : "a server that is gone since";
	return name + " is " + e.to + (e.why ? ": " + e.why : "") + (e.to === "up" && e.from !== "unknown" ? " again, was " + e.from : "");
}

let spoken = 0;

function showEvents() {
	const ol = $("events");
	if (ol.dataset.last !== String(past.event)) {
		ol.dataset.last = String(past.event);
		const list = past.events.slice().reverse();
		ol.replaceChildren(...(list.length ? list : [null]).map(e => {
			if (!e) return make("li", {}, "Nothing yet.");
			const text = eventText(e), sign = e.kind === "server" ? e.to : "";
			return make("li", {}, make("time", { datetime: new Date(e.unix_ms).toISOString() }, clock(e.unix_ms)),
				sign ? make("span", {}, make("span", { class: sign, "aria-hidden": "true" }, (SIGNS[sign] || "?") + " "), text) : make("span", {}, text));
		}));
	}
	if (spoken && past.event > spoken)
		say($("spoken"), past.events.filter(e => e.number > spoken).slice(-3).map(eventText).join(". "));
	spoken = past.event;
}

function show() {
	choose();
	showHeadline();
	showFigures();
	showPools();
	showServers();
	showWorkers();
	tables.pools.fill(state.pools.map(p => Object.assign(p, { key: p.name, css: p.servers && !p.servers_up ? "sick" : p.servers_up < p.servers ? "poor" : "" })));
	tables.listeners.fill(state.listeners.map(l => Object.assign(l, { key: l.name, css: l.at_limit ? "sick" : "", rate_now: rateOf("l" + l.name, l.accepted) })));
	showEvents();
}

// ---- the loop ----

let failures = 0, lostAt = 0, range = "10m", timer = 0, asked = 0;

async function get(what) {
	const stop = new AbortController(), late = setTimeout(() => stop.abort(), 10000);
	try {
		const r = await fetch(what, { signal: stop.signal, cache: "no-store", credentials: "same-origin" });
		if (!r.ok) throw new Error("status " + r.status);
		return await r.json();
	} finally {
		clearTimeout(late);
	}
}

async function history(status) {
	const fresh = !past || past.span !== range || past.started !== status.instance.started_unix;
	const few = status.servers.length <= 60 ? "&pool=*" : "";
	const h = await get("history.json?range=" + range + few + (fresh ? "" : "&since=" + (past.end - 1) + "&event=" + past.event));
	if (h.span !== range) return;
	skew = h.now_unix_ms - Date.now();
	if (fresh || h.started_unix !== past.started) begin(h);
	else extend(h);
}

async function round() {
	const mine = ++asked, start = performance.now();
	try {
		const s = await get("status.json");
		if (mine !== asked) return;
		await history(s);
		if (mine !== asked) return;
		state = s;
		failures = 0;
		document.documentElement.dataset.state = "live";
		show();
		say($("contact"), "Live · " + clock(now()));
		document.documentElement.dataset.rounds = String(Number(document.documentElement.dataset.rounds || 0) + 1);
	} catch (e) {
		if (mine !== asked) return;
		lost(e);
	}
	// A large table takes longer to ask for: then it is asked for less often. A page nobody looks at asks seldom.
	const took = performance.now() - start;
	const wait = failures ? Math.min(5000, 500 * failures) : document.hidden ? 10000 : Math.max(1000 - took, Math.min(10000, took * 5));
	clearTimeout(timer);
	timer = setTimeout(round, wait);
}

function lost() {
	if (failures++ === 0) lostAt = Date.now();
	if (failures < 2 && state) return;	// once may happen
	document.documentElement.dataset.state = "lost";
	const text = "No contact with the balancer since " + clock(lostAt) + "; trying again";
	say($("contact"), "No contact · trying again");
	$("now").className = "bad";
	$("mark").className = "bad";
	say($("mark"), "✕");
	if ($("headline").textContent !== text) {
		say($("headline"), text);
		say($("spoken"), text);
	}
	$("problems").replaceChildren(make("li", {}, state ? "What is shown below is as it was then." : "The balancer, or what lies between, does not answer."));
	document.title = "✕ no contact – " + (state ? state.instance.name : "loadbalancer");
}

for (const radio of document.querySelectorAll('input[name="range"]'))
	radio.addEventListener("change", () => { range = radio.value; round(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
let resized = 0;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => { if (state && past) show(); }, 100); });
document.body.append(patterns());
round();

})();
