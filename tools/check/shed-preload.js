'use strict'

// Required by a Node that was begun with a sanitizer's library (./sanitized-node.js). What it starts in turn begins
// without: shells and hypervisors are not ours to judge, and some do not even run with it. Another Node begins as this
// one did.

delete process.env['LD_PRELOAD']
const begun = process.env['VMCG_SANITIZED_NODE']
if (begun !== undefined) process.execPath = begun
