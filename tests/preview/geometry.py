"""What a browser is asked about a page: which texts overlap, what leaves its panel, which plots are empty."""

from __future__ import annotations

#: Every visible piece of text with the rectangle that can be seen of it: what scrolls or is cut off does not count.
_SEEN = """
const seen = (node, box) => {
    let [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom];
    for (let part = node.parentElement; part; part = part.parentElement) {
        const style = getComputedStyle(part);
        if (style.visibility === 'hidden' || style.display === 'none') return null;
        if (style.overflow !== 'visible' && part !== document.body && part !== document.documentElement) {
            const clip = part.getBoundingClientRect();
            left = Math.max(left, clip.left); right = Math.min(right, clip.right);
            top = Math.max(top, clip.top); bottom = Math.min(bottom, clip.bottom);
        }
    }
    return right - left > 1 && bottom - top > 1 ? {left, top, right, bottom} : null;
};
const texts = root => {
    const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        if (!node.textContent.trim() || node.parentElement.closest('style, title')) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            const rect = seen(node, box);
            if (rect) found.push({node, text: node.textContent.trim().slice(0, 40), ...rect});
        }
    }
    return found;
};
"""

OVERLAPS = (
    "() => {"
    + _SEEN
    + """
    const found = [], listed = texts(document.body).sort((a, b) => a.top - b.top);
    listed.forEach((one, place) => {
        for (const other of listed.slice(place + 1)) {
            if (other.top > one.bottom - 3) break;
            const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
            const down = Math.min(one.bottom, other.bottom) - other.top;
            if (one.node !== other.node && across > 1 && down > 3) found.push(one.text + ' / ' + other.text);
        }
    });
    return found;
}"""
)

#: Parts of panels that leave them, panels whose content is larger than they are, and a page wider than the screen.
OVERFLOWS = (
    "() => {"
    + _SEEN
    + """
    const found = [];
    for (const panel of document.querySelectorAll('section')) {
        const title = panel.querySelector('h3').textContent.slice(0, 30), box = panel.getBoundingClientRect();
        for (const part of panel.querySelectorAll('*')) {
            if (part.closest('.table, .lines') !== part && part.closest('.table, .lines')) continue;
            if (part.closest('svg') !== part && part.closest('svg')) continue;
            const rect = part.getBoundingClientRect();
            if (rect.width === 0 || rect.height === 0) continue;
            if (rect.bottom > box.bottom + 1 || rect.top < box.top - 1 || rect.left < box.left - 1)
                found.push(title + ': ' + part.className + ' leaves its panel');
        }
        if (panel.scrollHeight > panel.clientHeight + 1 || panel.scrollWidth > panel.clientWidth + 1)
            found.push(title + ' is fuller than it is large');
        if (document.documentElement.scrollWidth > innerWidth) found.push('the page is wider than the screen');
    }
    return [...new Set(found)];
}"""
)

#: By the title of each plot with axes: the extent of the largest thing drawn in it, in pixels of the screen.
DRAWN = """() => Object.fromEntries([...document.querySelectorAll('section .plot > svg')].map(svg => {
    const drawn = [...svg.querySelectorAll(':scope > path:not([stroke="#E3E4E8"])')];
    const boxes = drawn.map(path => path.getBoundingClientRect());
    return [svg.closest('section').querySelector('h3').textContent,
            boxes.reduce((most, box) => Math.max(most, box.width + box.height), 0)];
}))"""

#: The height of the lowest plot, or half the width of the narrowest.
SMALLEST = """() => Math.min(...[...document.querySelectorAll('section .plot > svg')].map(
    svg => Math.min(svg.getBoundingClientRect().width / 2, svg.getBoundingClientRect().height)))"""
