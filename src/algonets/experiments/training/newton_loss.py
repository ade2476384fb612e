class NewtonLossExperiment: pass
