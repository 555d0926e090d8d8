// SPDX-License-Identifier: BSD-2-Clause
// What is shown is changed in place and only where it differs: focus, scroll and selection stay.
// Text from outside goes into text nodes and attributes, and nowhere else.

export function byId(id) {
    return document.getElementById(id);
}

export function fromTemplate(id) {
    return byId(id).content.firstElementChild.cloneNode(true);
}

export function setText(node, text) {
    const inside = node.firstChild;

    if (!inside)
        node.append(text);
    else if (inside.data !== text)
        inside.data = text;
}

export function setAttribute(node, name, value) {
    if (node.getAttribute(name) !== value)
        node.setAttribute(name, value);
}

export function setHidden(node, hidden) {
    if (node.hidden !== hidden)
        node.hidden = hidden;
}

// A bar (role="meter") with another bar in it.
export function setBar(bar, value, most) {
    const share = most > 0 ? Math.min(value / most, 1) : 0;
    const width = (share * 100).toFixed(2) + "%";

    setAttribute(bar, "aria-valuemax", String(Math.max(most, value)));
    setAttribute(bar, "aria-valuenow", String(value));
    setAttribute(bar, "aria-valuetext", value + " of " + most);
    setAttribute(bar, "data-is", share >= 1 ? "full" : share >= 0.8 ? "high" : "low");
    if (bar.firstElementChild.style.width !== width)
        bar.firstElementChild.style.width = width;
}

// Is someone at work in one of its children, who would lose the place if these moved?
export function isHeld(node) {
    const selection = document.getSelection(), at = document.activeElement;

    return (node.contains(at) && at.parentNode !== node) ||
        (selection && !selection.isCollapsed && node.contains(selection.anchorNode));
}

// Draws what may take away the element that has the focus. This then goes to what draw() says is new
// (a node or null) if it was hidden, else to the section; a browser would begin at the page's top.
export function drawIn(section, draw) {
    const had = document.activeElement, isHere = section.contains(had), fresh = draw();

    if (!isHere || (had.isConnected && !had.closest("[hidden]")))
        return;
    const to = (had.isConnected && fresh) || section;

    if (to === fresh) { // nobody is to get there by a click
        to.tabIndex = -1;
        to.addEventListener("blur", () => to.removeAttribute("tabindex"), {once: true});
    }
    to.focus({preventScroll: true});
}

// Children of a node by their keys. Those that stay are not touched, but for update().
export class Rows {
    constructor(parent, make, options = {}) {
        this.parent = parent;
        this.make = make;
        this.behind = options.behind || null; // a child that they come after
        this.rows = new Map();
    }

    // `keys` in the order wanted; with `keepOrder` rows that are there already stay where they are.
    // The first row that is new, or null.
    show(keys, update, keepOrder = false) {
        const wanted = new Set(keys);
        let at, fresh = null;

        for (const [key, row] of this.rows) {
            if (!wanted.has(key)) {
                row.node.remove();
                this.rows.delete(key);
            }
        }
        at = this.behind ? this.behind.nextElementSibling : this.parent.firstElementChild;
        for (const key of wanted) {
            let row = this.rows.get(key);
            const isNew = !row;

            if (isNew) {
                row = this.make(key);
                this.rows.set(key, row);
                fresh = fresh || row;
            }
            update(row, key);
            if (row.node === at)
                at = at.nextElementSibling;
            else if (isNew || !keepOrder)
                this.parent.insertBefore(row.node, at);
        }
        return fresh;
    }
}
