import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv from 'ajv'
import { OCI_SCHEMA } from './require'

const BASE = 'https://opencontainers.org/'

/**
 * The validator of whole config.json files that the authors of the specification publish, made of their files. They are
 * written in draft 4 of JSON Schema, and use nothing that draft 7 has changed but its name.
 */
export function officialValidator(): (spec: unknown) => boolean {
  const ajv = new Ajv({ strict: false, logger: false })
  for (const file of readdirSync(OCI_SCHEMA).filter((name) => name.endsWith('.json'))) {
    const { $schema: _, ...schema } = JSON.parse(readFileSync(join(OCI_SCHEMA, file), 'utf8'))
    ajv.addSchema({ ...schema, $id: BASE + file })
  }
  const validate = ajv.getSchema(`${BASE}config-schema.json`)
  if (validate === undefined) throw new Error(`${OCI_SCHEMA} has no config-schema.json`)
  return (spec) => validate(spec) === true
}
