import * as vega from 'vega'
import { compile } from 'vega-lite'

/** @import { TopLevelSpec } from 'vega-lite' */

/**
 * The same spec gives the same bytes: text is measured by a table of vega's own, not by the fonts of the host.
 *
 * @param {TopLevelSpec} spec
 * @returns {Promise<string>} SVG
 */
export async function draw(spec) {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  try {
    return `${await view.toSVG()}\n`
  } finally {
    view.finalize()
  }
}
