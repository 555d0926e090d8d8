// SPDX-License-Identifier: BSD-2-Clause
// Numbers as people read them, in the units of penstock(1).

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});

export function count(n) {
    return whole.format(n);
}

export function size(bytes) {
    let unit = -1;

    if (bytes < 1024)
        return Math.round(bytes) + " B";
    // What would be rounded to 1024.0 is 1.0 of the next.
    while (unit + 1 < UNITS.length && bytes >= 1023.95) {
        bytes /= 1024;
        unit++;
    }
    return bytes.toFixed(1) + " " + UNITS[Math.max(unit, 0)];
}

// Of a counter: null is "not known yet".
export function rate(bytes) {
    return bytes === null ? "–" : size(bytes) + "/s";
}

export function perSecond(n) {
    if (n === null)
        return "–";
    return n > 0 && n < 10 ? n.toFixed(1) : count(n);
}

function two(n) {
    return String(n).padStart(2, "0");
}

export function span(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));

    if (s < 60)
        return s + "s";
    if (s < 3600)
        return Math.floor(s / 60) + "m" + two(s % 60) + "s";
    if (s < 86400)
        return Math.floor(s / 3600) + "h" + two(Math.floor(s / 60) % 60) + "m";
    return Math.floor(s / 86400) + "d" + two(Math.floor(s / 3600) % 24) + "h";
}

export function clock(ms) {
    const at = new Date(ms);

    return two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds());
}

export function date(ms) {
    const at = new Date(ms);

    return at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate()) + " " +
        clock(ms);
}

export function many(n, one, others) {
    return count(n) + " " + (n === 1 ? one : others);
}
