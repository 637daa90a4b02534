package switchboard

// Version is the product's version, named in the User-Agent of every request.
const Version = "0.2.0"
