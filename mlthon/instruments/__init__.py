"""What can be traded: `instrument.Instrument`, its kinds, and `instrument_utils.InstrumentUtils`."""
