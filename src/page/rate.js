// SPDX-License-Identifier: BSD-2-Clause
// What counters did in the last seconds, and its picture.

import {setAttribute} from "./dom.js";
import {rate} from "./text.js";

export const SECONDS = 90;

// By how much a counter has grown in each of the last seconds.
export class Growth {
    constructor() {
        this.each = new Float32Array(SECONDS); // a ring; `next` is the oldest
        this.next = 0;
        this.last = null; // the counter, at that time
        this.at = 0;
        this.now = null;  // a second
    }

    // `at`: milliseconds. Several seconds at once share what came in them; a look soon after the
    // last one is part of the next. A counter that has fallen is one that began anew.
    add(counter, at) {
        const passed = (at - this.at) / 1000;

        if (this.last !== null) {
            const seconds = Math.round(passed), grown = Math.max(counter - this.last, 0);

            if (seconds < 1)
                return;
            this.now = grown / passed;
            for (let left = Math.min(seconds, SECONDS); left > 0; left--)
                this.put(grown / seconds);
        }
        this.last = counter;
        this.at = at;
    }

    put(value) {
        this.each[this.next] = value;
        this.next = (this.next + 1) % SECONDS;
    }

    // From the oldest on.
    get(i) {
        return this.each[(this.next + i) % SECONDS];
    }

    peak() {
        return this.each.reduce((most, value) => Math.max(most, value), 0);
    }

    sum() {
        return this.each.reduce((all, value) => all + value, 0);
    }
}

const HEIGHT = 40;
const LEAST = 512; // bytes a second that are drawn at full height, so that a trickle looks like one

// One shape for each stretch in which there was something; its side on the axis is left open, so
// that no line is drawn there.
function area(growth, peak, up) {
    const middle = HEIGHT / 2, high = middle - 1;
    let path = "", before = 0;

    for (let i = 0; i < SECONDS; i++) {
        const value = growth.get(i);

        if (value > 0) {
            const y = middle + (up ? -1 : 1) * Math.max(value / peak * high, 1);

            path += (before > 0 ? "L" : "M" + i + " " + middle + "L") + i + " " + y.toFixed(1);
        } else if (before > 0) {
            path += "L" + i + " " + middle;
        }
        before = value;
    }
    return path && before > 0 ? path + "H" + SECONDS + "V" + middle : path;
}

// In upwards, out downwards, on one scale. Returns the peak of both, in bytes a second.
export function drawSpark(svg, what, into, out) {
    const peak = Math.max(into.peak(), out.peak());
    const scale = Math.max(peak, LEAST);

    setAttribute(svg, "viewBox", "0 0 " + SECONDS + " " + HEIGHT);
    setAttribute(svg, "aria-label", what + ": in " + rate(into.now) + ", out " + rate(out.now) +
                 ", at most " + rate(peak) + " in the last " + SECONDS + " seconds");
    setAttribute(svg.querySelector(".in"), "d", area(into, scale, true));
    setAttribute(svg.querySelector(".out"), "d", area(out, scale, false));
    return peak;
}
