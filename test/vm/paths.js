'use strict'

const { homedir } = require('node:os')
const { join } = require('node:path')

/** This checkout on the host. */
const ROOT = join(__dirname, '..', '..')

/** Where a guest mounts its second disk, and what is on it. */
const DISK = '/vmcg'
const CHECKOUT = `${DISK}/checkout`
const NODE = `${DISK}/bin/node`

/** @returns {string} where images and answers about this host are kept between runs */
function cacheFolder() {
  const base = process.env['XDG_CACHE_HOME'] ?? ''
  return join(base === '' ? join(homedir(), '.cache') : base, 'vmcg')
}

module.exports = { CHECKOUT, DISK, NODE, ROOT, cacheFolder }
