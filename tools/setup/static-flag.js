'use strict'

const { execFileSync } = require('node:child_process')

// Prints `-static` where the C library can be linked so, for binding.gyp. Some distributions put its archive into a
// package of its own (glibc-static); without it a program works as well, and starts more slowly.

const compiler = process.env['CXX'] || 'g++'

/** The compiler answers with a path for a file that it finds, and with the bare name for one that it does not. */
function hasStaticLibc() {
  try {
    return execFileSync(compiler, ['-print-file-name=libc.a'], { encoding: 'utf8' }).startsWith('/')
  } catch {
    return false
  }
}

console.log(hasStaticLibc() ? '-static' : '')
