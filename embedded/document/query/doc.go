// Package query is the shape of a query's answer: the order of documents ([Sort]) and the part of each that is shown
// ([Projection]). What is found is decided by package filter. Nothing here knows where documents are kept.
package query
