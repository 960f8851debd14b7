package aggregate

// WithMemory returns the pipeline with other memory.
func (p Pipeline) WithMemory(bytes int) Pipeline {
	p.memory = bytes
	return p
}

// WithMemory returns the request with other memory.
func (d Distinct) WithMemory(bytes int) Distinct {
	d.memory = bytes
	return d
}

// PushDown tells how a pipeline is divided.
func (p Pipeline) PushDown() (q Query, left int) {
	q, rest := p.pushDown()
	return q, len(rest)
}
