export { planKnobs } from './knobs'
